package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// coreLog passes the lines of Datadog's trace core on to slog, without the API key should one of them hold it.
type coreLog struct {
	log    *slog.Logger
	hidden string
}

func (l coreLog) write(level slog.Level, line string) string {
	if l.hidden != "" {
		line = strings.ReplaceAll(line, l.hidden, "(hidden)")
	}
	l.log.Log(context.Background(), level, strings.TrimSpace(line))
	return line
}

func (l coreLog) fail(level slog.Level, line string) error { return errors.New(l.write(level, line)) }

func (l coreLog) wants(level slog.Level) bool { return l.log.Enabled(context.Background(), level) }

// levelTrace is below debug: the core writes a line per span there.
const levelTrace = slog.LevelDebug - 4

func (l coreLog) Trace(v ...any) { l.plain(levelTrace, v) }
func (l coreLog) Debug(v ...any) { l.plain(slog.LevelDebug, v) }
func (l coreLog) Info(v ...any)  { l.plain(slog.LevelInfo, v) }

func (l coreLog) Tracef(format string, v ...any) { l.formatted(levelTrace, format, v) }
func (l coreLog) Debugf(format string, v ...any) { l.formatted(slog.LevelDebug, format, v) }
func (l coreLog) Infof(format string, v ...any)  { l.formatted(slog.LevelInfo, format, v) }

func (l coreLog) plain(level slog.Level, v []any) {
	if l.wants(level) {
		l.write(level, fmt.Sprint(v...))
	}
}

func (l coreLog) formatted(level slog.Level, format string, v []any) {
	if l.wants(level) {
		l.write(level, fmt.Sprintf(format, v...))
	}
}

func (l coreLog) Warn(v ...any) error     { return l.fail(slog.LevelWarn, fmt.Sprint(v...)) }
func (l coreLog) Error(v ...any) error    { return l.fail(slog.LevelError, fmt.Sprint(v...)) }
func (l coreLog) Critical(v ...any) error { return l.fail(slog.LevelError, fmt.Sprint(v...)) }

func (l coreLog) Warnf(format string, v ...any) error {
	return l.fail(slog.LevelWarn, fmt.Sprintf(format, v...))
}

func (l coreLog) Errorf(format string, v ...any) error {
	return l.fail(slog.LevelError, fmt.Sprintf(format, v...))
}

func (l coreLog) Criticalf(format string, v ...any) error {
	return l.fail(slog.LevelError, fmt.Sprintf(format, v...))
}

func (coreLog) Flush() {}
