/** Numbers, times and sizes as people read them. One decimal at most where it helps, units always. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0, useGrouping: true });
const space = (text: string) => text.replaceAll(',', '\u202f');

/** A count: `12 345`, with narrow spaces. */
export const count = (value: number): string => space(whole.format(value));

/** A rate per second: `0`, `0.4`, `12`, `1 234`. */
export function rate(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  return value > 0 && value < 9.95 ? value.toFixed(1) : count(Math.round(value));
}

/** Bytes: `312 B`, `4.2 MB`; powers of 1024. */
export function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let amount = value;
  let unit = 0;
  while (amount >= 1023.5 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit > 0 && amount < 99.95 ? amount.toFixed(1) : Math.round(amount)} ${units[unit]}`;
}

/** A duration in milliseconds: `0.06 ms`, `0.3 ms`, `12 ms`, `4.1 s`, `3 min`, `5 h`, `2 d`. */
export function duration(ms: number | null | undefined): string {
  if (ms === undefined || ms === null || Number.isNaN(ms)) return '–';
  if (ms === Infinity) return '> 65 s';
  if (ms === 0) return '0 ms';
  if (ms < 9.95) return `${ms.toFixed(ms < 0.095 ? 2 : 1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 119.5) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** A share of one core: `37 %`; a node with several busy threads may have more than 100. */
export const percent = (share: number | undefined): string =>
  share === undefined || !Number.isFinite(share)
    ? '–'
    : `${share * 100 < 9.95 ? (share * 100).toFixed(1) : count(share * 100)} %`;

const two = (value: number) => String(value).padStart(2, '0');

/** The time of day, here: `14:03:07.512`. */
export function timeOfDay(time: number): string {
  const date = new Date(time);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${clock}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** Day and time, here, to the second: `2026-11-25 14:03:07`. */
export function dayAndTime(time: number): string {
  const date = new Date(time);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${timeOfDay(time).slice(0, 8)}`;
}

/** The moment as a machine reads it. */
export const iso = (time: number): string => new Date(time).toISOString();

/** One of eight colours for a name: the same name, the same colour, on every screen. */
export function hueOf(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i += 1) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) | 0;
  return (hash >>> 0) % 8;
}
