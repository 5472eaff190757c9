"""From evidence to what people and programs read: JSON, JUnit properties, a console summary, diagnostics folders."""
