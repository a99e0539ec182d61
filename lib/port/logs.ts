/** What the Rust core logs, on its way to the log of this process. */
import { emit, onLevel, type LogLevel } from '../log.ts';
import { native } from '../native.ts';

// The core makes no record that nobody wants.
onLevel((level) => native.collectLogs(level));

/** Hands over what the core has logged since the last time. */
export function handOverLogs(): void {
  for (const { time, level, name, message } of native.takeLogs()) {
    emit({ time: new Date(time), level: level as LogLevel, name, message });
  }
}
