/**
 * The log of a node: what the user's code says and what the Rust core reports, as lines on standard error or as records for another
 * logger. A log call never throws, and what it wrote is out when it returns, also when the process ends right after.
 */
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { invalidType } from './errors.ts';
import { jsonText } from './log-text.ts';
import { isSupervised, setTakesLog, takesLog } from './supervision.ts';

/** How serious a record is. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One entry of the log. */
export interface LogRecord {
  /** When it was logged. */
  time: Date;
  /** How serious it is. */
  level: LogLevel;
  /** Which part speaks: `node` for the user's own code, else a part of the runtime such as `channel` or `zone`. */
  name: string;
  /** What happened, in words. */
  message: string;
  /** Details to search by. */
  fields?: object;
}

/** Another logger's entrance. */
export type Logger = (record: LogRecord) => void;

/**
 * To standard error: `2026-01-31T12:00:00.000Z INFO node Runner is ready` on a terminal, one JSON object a line elsewhere
 * (TROUPE_LOG_FORMAT=pretty|json). Levels: TROUPE_LOG="info,channel=debug"; default `info`, `off` for silence.
 */
export function debug(message: string, fields?: object): void {
  log('debug', message, fields);
}

/** Like {@link debug}, one level up: shown unless TROUPE_LOG says otherwise. */
export function info(message: string, fields?: object): void {
  log('info', message, fields);
}

/** Like {@link info}, for what someone should look at. */
export function warn(message: string, fields?: object): void {
  log('warn', message, fields);
}

/** Like {@link info}, for what failed. */
export function error(message: string, fields?: object): void {
  log('error', message, fields);
}

/**
 * Hands every record, the Rust core's too, to another logger instead, e.g. `(r) => pino[r.level](r.fields, r.message)`; `undefined`:
 * back to the default. That logger filters by itself: TROUPE_LOG holds for it only where it is set. If it throws, that is
 * reported once, and the record is written as if it were not there.
 */
export function setLogger(log: Logger | undefined): void {
  if (log !== undefined && typeof log !== 'function') {
    throw invalidType('log', 'a function that takes a record, or undefined for the default', log);
  }
  logger = log;
  loggerFailed = false;
  tellCore();
}

/** Writes, keeps and hands on a record, if its level is wanted. */
export function emit(record: LogRecord): void {
  if (!wanted(record.level, record.name)) return;
  // What a supervised process prints its supervisor has as well: of two ways a record goes one.
  if (!isSupervised || logger === undefined || inLogger) keepRecord(record);
  handOn(record);
}

/** The same for a record of the Rust core, which has kept it for observers by itself. */
export function emitOfCore(record: LogRecord): void {
  if (wanted(record.level, record.name)) handOn(record);
}

function handOn(record: LogRecord): void {
  // A logger that logs through us would call itself for ever: what it says meanwhile goes to standard error.
  if (logger === undefined || inLogger) return write(record);
  inLogger = true;
  try {
    const result: unknown = logger(record);
    if (result instanceof Promise) result.catch(reportLogger);
  } catch (thrown) {
    reportLogger(thrown);
    if (isSupervised) keepRecord(record);
    write(record);
  } finally {
    inLogger = false;
  }
}

/** A failure that nobody else may hear of, from a part of the runtime. */
export function emitError(name: string, message: string, fields: object): void {
  emit({ time: new Date(), level: 'error', name, message, fields });
}

/** A record of the runtime for whoever wonders what it does. */
export function emitInfo(name: string, message: string, fields: object): void {
  emit({ time: new Date(), level: 'info', name, message, fields });
}

/** A record of the runtime about something that someone should look at. */
export function emitWarn(name: string, message: string, fields: object): void {
  emit({ time: new Date(), level: 'warn', name, message, fields });
}

/** Whether a record of that level from that part would go anywhere, for those who would have to work to make one. */
export function wanted(level: LogLevel, name: string): boolean {
  if (logger !== undefined && !currentFilter().explicit) return true;
  return passes(level, name);
}

/** What the Rust core is to do with its records. */
export interface CoreSettings {
  /** The least level that any part may log at. */
  level: LogLevel | 'off';
  /** From which level on records are kept for observers, as TROUPE_LOG has it. */
  levels: string;
  /** Whether they are kept for observers. */
  keeps: boolean;
  /** Whether they are handed over to this log. */
  handsOver: boolean;
  /** The process is supervised. */
  isSupervised: boolean;
}

/** Puts other levels in force, as if TROUPE_LOG had them. */
export function setLevels(text: string): void {
  filter = { ...parseFilter(text).parsed, explicit: true };
  tellCore();
}

/** Keeps a record for observers. `worker`: the one it is about, where that is known. */
export type Keep = (record: LogRecord, rank: number, worker: string | undefined) => void;

/**
 * Connects the log with the core: `tell` hears what the core is to do with its own records, now and whenever that changes, `keep` gets
 * those of JavaScript that observers may want.
 */
export function connectCore(tell: (settings: CoreSettings) => void, keep: Keep): void {
  keepInCore = keep;
  tellCore = (takes = takesLog()) => {
    tell({
      level: leastLevel(),
      levels: levelsText(),
      keeps: !isSupervised || (takes && logger === undefined),
      handsOver: !takes || logger !== undefined,
      isSupervised,
    });
  };
  tellCore();
}

/** From now on the supervisor of this process takes its log. `handOver`: prints what the core has had for it before. */
export function handToSupervisor(handOver: () => void): void {
  tellCore(true);
  handOver();
  setTakesLog(true);
}

/** From now on it takes it no longer: what is logged is printed, first the records that it does not have. */
export function takeFromSupervisor(handOver: () => void, unpulled: () => readonly LogRecord[]): void {
  handOver();
  setTakesLog(false);
  tellCore();
  for (const record of unpulled()) write(record);
}

/** Which worker's handler runs just now, until it first waits for something. */
export const here: { worker: string | undefined } = { worker: undefined };

function keepRecord(record: LogRecord): void {
  if (keepInCore === undefined || !passes(record.level, record.name)) return;
  // It is printed, which its supervisor has.
  if (isSupervised && !takesLog()) return;
  const { fields } = record as { fields?: { worker?: unknown } };
  // What the runtime says of a worker names it.
  const about = record.name === 'worker' && typeof fields?.worker === 'string' ? fields.worker : here.worker;
  keepInCore(record, RANKS[record.level], about);
}

function passes(level: LogLevel, name: string): boolean {
  const filter = currentFilter();
  return RANKS[level] >= (filter.byName.get(name) ?? filter.byDefault);
}

/** The filter as text, without what makes no sense. */
function levelsText(): string {
  const filter = currentFilter();
  const word = (rank: number) => Object.keys(RANKS)[rank] as string;
  return [word(filter.byDefault), ...[...filter.byName].map(([name, rank]) => `${name}=${word(rank)}`)].join(',');
}

function leastLevel(): LogLevel | 'off' {
  if (logger !== undefined && !currentFilter().explicit) return 'debug';
  const filter = currentFilter();
  const least = Math.min(filter.byDefault, ...filter.byName.values());
  return (Object.keys(RANKS) as (LogLevel | 'off')[])[least] as LogLevel | 'off';
}

const RANKS = { debug: 0, info: 1, warn: 2, error: 3, off: 4 } as const;

interface Filter {
  /** TROUPE_LOG is set. */
  explicit: boolean;
  byDefault: number;
  byName: Map<string, number>;
}

let filter: Filter | undefined;
let pretty: boolean | undefined;
let logger: Logger | undefined;
let loggerFailed = false;
let inLogger = false;
let tellCore: (takes?: boolean) => void = () => {};
let keepInCore: Keep | undefined;

function log(level: LogLevel, message: string, fields: object | undefined): void {
  if (!wanted(level, 'node')) return;
  // Whatever JavaScript passes: a log call is the last place to fail at.
  const text = typeof message === 'string' ? message : jsonText(message);
  emit(
    fields === undefined
      ? { time: new Date(), level, name: 'node', message: text }
      : { time: new Date(), level, name: 'node', message: text, fields },
  );
}

function currentFilter(): Filter {
  if (filter === undefined) {
    const { parsed, wrong } = parseFilter(process.env['TROUPE_LOG']);
    filter = parsed;
    const levels = Object.keys(RANKS).join(', ');
    for (const piece of wrong) {
      say('warn', `TROUPE_LOG: ${JSON.stringify(piece)} is neither a level (${levels}) nor "name=level"`);
    }
  }
  return filter;
}

/** `"info,channel=debug"` → what each part may say, and the pieces that make no sense and are otherwise ignored. */
function parseFilter(text: string | undefined): { parsed: Filter; wrong: string[] } {
  const parsed: Filter = { explicit: Boolean(text), byDefault: RANKS.info, byName: new Map() };
  const wrong: string[] = [];
  for (const piece of (text ?? '').split(',').map((piece) => piece.trim())) {
    if (piece === '') continue;
    const [, name, level = ''] = /^(?:([^=]+)=)?(.*)$/.exec(piece) ?? [];
    const rank = (RANKS as Record<string, number | undefined>)[level.toLowerCase()];
    if (rank === undefined) wrong.push(piece);
    else if (name === undefined) parsed.byDefault = rank;
    else parsed.byName.set(name, rank);
  }
  return { parsed, wrong };
}

function reportLogger(thrown: unknown): void {
  if (loggerFailed) return;
  loggerFailed = true;
  say('error', `the logger given to setLogger failed; what it throws at is written here: ${jsonText(thrown)}`);
}

/** Says something about the log itself, past whatever logger there is. */
function say(level: LogLevel, message: string): void {
  const record = own(level, message);
  keepRecord(record);
  write(record);
}

/** A record about the log itself. */
function own(level: LogLevel, message: string): LogRecord {
  return { time: new Date(), level, name: 'log', message };
}

function line(record: LogRecord): string {
  // Asked of the system, not of process.stderr: making that stream turns a pipe non-blocking.
  pretty ??= isPretty(process.env['TROUPE_LOG_FORMAT']);
  return pretty ? prettyLine(record) : jsonLine(record);
}

/** A format that makes no sense is reported and otherwise ignored. */
function isPretty(format: string | undefined): boolean {
  if (format === 'pretty' || format === 'json') return format === 'pretty';
  const isTerminal = isatty(2);
  if (format !== undefined && format !== '') {
    pretty = isTerminal;
    write(own('warn', `TROUPE_LOG_FORMAT: ${JSON.stringify(format)} is neither "pretty" nor "json"`));
  }
  return isTerminal;
}

function prettyLine(record: LogRecord): string {
  const fields = record.fields === undefined ? '' : ` ${jsonText(record.fields)}`;
  return printable(`${isoTime(record)} ${record.level.toUpperCase()} ${record.name} ${record.message}${fields}`);
}

function jsonLine(record: LogRecord): string {
  const head = `{"time":"${isoTime(record)}","level":"${record.level}","name":${JSON.stringify(record.name)},"message":${JSON.stringify(record.message)}`;
  return record.fields === undefined ? `${head}}` : `${head},"fields":${jsonText(record.fields)}}`;
}

function isoTime(record: LogRecord): string {
  return Number.isNaN(record.time.getTime()) ? new Date().toISOString() : record.time.toISOString();
}

/** A message from elsewhere must not move the cursor, nor look like a record of its own: later lines are indented. */
function printable(text: string): string {
  const escaped = (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  return text.replace(/\r?\n/g, '\n  ').replace(/[^\P{Cc}\n\t]/gu, escaped);
}

/** A reader that is this far behind loses lines instead of stopping the program. */
const PATIENCE_MS = 100;
let lost = 0;
/** Part of the last lost record was written: the next one starts on a line of its own. */
let torn = false;

function write(record: LogRecord): void {
  // It is kept for observers, of whom the supervisor is one: what is printed it would have twice.
  if (takesLog()) return;
  const missing = lost > 0 ? `${line(own('warn', `${lost} records were lost: standard error was full`))}\n` : '';
  let bytes = Buffer.from(`${torn ? '\n' : ''}${missing}${line(record)}\n`);
  // Full once, one try a record is enough until it takes something again.
  const until = lost > 0 ? 0 : performance.now() + PATIENCE_MS;
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(2, bytes));
      torn = bytes.length > 0;
    } catch (failed) {
      // Closed, or nobody reads it any more: there is no place left to say so.
      if ((failed as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      if (performance.now() >= until) {
        lost += 1;
        return;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
  lost = 0;
}
