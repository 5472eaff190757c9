"""What arrived at the backend, put together and judged: log ledgers, the model of the agent's filters, traces."""
