/** The log of this process and the Rust core: its records on their way here, and what observers may want on its way there. */
import {
  connectCore,
  emitOfCore,
  handToSupervisor,
  setLevels,
  takeFromSupervisor,
  type LogLevel,
  type LogRecord,
} from '../log.ts';
import { jsonText } from '../log-text.ts';
import { native } from '../native.ts';
import { isLookedAfter } from '../supervision.ts';

// The core makes no record that nobody wants.
connectCore(
  (settings) => native.collectLogs(settings),
  (record, rank, worker) => {
    const { name, message, fields } = record;
    const time = record.time.getTime();
    const details = fields === undefined ? undefined : jsonText(fields);
    native.keepLog(Number.isNaN(time) ? Date.now() : time, rank, name, message, worker, details);
  },
);

interface Entry {
  time: number;
  level: string;
  name: string;
  message: string;
  fields?: string;
}

function recordOf({ time, level, name, message, fields }: Entry): LogRecord {
  const record: LogRecord = { time: new Date(time), level: level as LogLevel, name, message };
  return fields === undefined ? record : { ...record, fields: JSON.parse(fields) as object };
}

/** Puts the levels in force that were set for the whole process. */
function takeOverLevels(): void {
  const levels = native.takeLevels();
  if (levels) setLevels(levels);
}

// That may have been before this isolate was there.
takeOverLevels();

/** Hands over what the core has logged since the last time. */
export function handOverLogs(): void {
  takeOverLevels();
  for (const entry of native.takeLogs()) emitOfCore(recordOf(entry));
}

/** A node is open: if the supervisor of this process looks after it, it takes the log from there. */
export function nodeOpened(node: { name: string; zone: string | false }): void {
  if (isLookedAfter(node)) handToSupervisor(handOverLogs);
}

/** A node is closed: what its supervisor has not taken of the log goes to standard error, and what comes from here on. */
export function nodeClosed(node: { name: string; zone: string | false }): void {
  if (isLookedAfter(node)) takeFromSupervisor(handOverLogs, () => native.takeUnpulledLogs().map(recordOf));
}
