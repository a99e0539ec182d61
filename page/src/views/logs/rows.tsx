/** One row of the log. A row whose line is the same is not rendered again: at 5 000 lines a second that is what counts. */
import { Component } from 'preact';
import { AnsiText } from '../../parts/text.tsx';
import { count, hueOf, timeOfDay } from '../../format.ts';
import { fieldsInShort } from '../../filter.ts';
import { type HeldLine } from '../../lines.ts';
import { select } from './state.ts';

/** Height of each row in pixels; the same as `--row` in logs.css. */
export const rowHeight = 20;
/** Most of a message that a row holds, in UTF-16 units: what no screen is wide enough for. The details have all of it. */
const mostText = 2000;

interface RowProps {
  readonly number: number;
  readonly index: number;
  readonly line: HeldLine;
  readonly selected: boolean;
}

/** The names of the columns. */
export function Header() {
  return (
    <div class="row header" role="row" aria-rowindex={1}>
      {['Time', 'Level', 'Node', 'Source', 'Message'].map((title) => (
        <span key={title} role="columnheader">
          {title}
        </span>
      ))}
    </div>
  );
}

/** Of several lines the first, and how many more there are. */
function firstLine(message: string): [string, number] {
  const end = message.indexOf('\n');
  const first = end < 0 ? message : message.slice(0, end);
  const more = end < 0 ? 0 : message.split('\n').filter((part, i) => i > 0 && part !== '').length;
  return [first.length > mostText ? `${first.slice(0, mostText)}…` : first, more];
}

/** A line. */
export class LineRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const { line, selected, index } = this.props;
    return next.line !== line || next.selected !== selected || next.index !== index;
  }

  override render({ number, index, line, selected }: RowProps) {
    const [message, more] = firstLine(line.message);
    return (
      <div
        id={`line-${number}`}
        class={`row level-${line.level}${selected ? ' selected' : ''}`}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={selected}
        onClick={() => pick(number)}
      >
        <span role="gridcell" class="time">
          {timeOfDay(line.time)}
        </span>
        <span role="gridcell" class="level">
          {line.level}
        </span>
        <span role="gridcell" class={`node hue-${hueOf(line.node)}`}>
          {line.node}
        </span>
        <span role="gridcell" class="source">
          {line.worker ?? line.name}
        </span>
        <span role="gridcell" class="message">
          <AnsiText text={message} />
          {more > 0 && <span class="more"> +{count(more)} lines</span>}
          {line.fields && <span class="fields"> {fieldsInShort(line.fields, line.worker).slice(0, mostText)}</span>}
        </span>
      </div>
    );
  }
}

/** A click selects, unless it ends a selection of text. */
function pick(number: number): void {
  if (!getSelection()?.isCollapsed) return;
  select(number);
}

/** Where lines are missing. */
export function GapRow({ number, index, line }: RowProps) {
  return (
    <div id={`line-${number}`} class="row gap" role="row" aria-rowindex={index + 2}>
      <span role="gridcell" aria-colspan={5}>
        {count(line.lost ?? 0)} {line.message}
      </span>
    </div>
  );
}
