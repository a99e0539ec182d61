/** The list of lines: only the rows in sight are in the page, whatever the list's length. The place is kept by line, not by pixel. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { lines } from '../../store.ts';
import { GapRow, Header, LineRow, rowHeight } from './rows.tsx';
import { anchor, follow, listLength, select, selected, shown, shownVersion } from './state.ts';

/** Rows beyond the edges, so that a quick scroll meets no empty place before the next frame. */
const spare = 8;

/** The place in the list, in pixels, that belongs to what is looked at. */
function topOf(length: number, height: number): number {
  const most = Math.max(0, length * rowHeight - height);
  if (follow.value) return most;
  const { number, offset } = anchor.value;
  return Math.min(most, Math.max(0, shown.before(number) * rowHeight + offset));
}

/** The list, and the keys that walk it. */
export function List() {
  const scroller = useRef<HTMLDivElement>(null);
  const put = useRef(0);
  const [height, setHeight] = useState(600);
  void shownVersion.value;
  const length = listLength.value;
  const top = topOf(length, height);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    // The header lies over the rows: what is left below it is the list's.
    const measure = () => setHeight(element.clientHeight - rowHeight);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    if (Math.abs(element.scrollTop - top) >= 1) element.scrollTop = top;
    put.current = element.scrollTop;
    // Where following ends, the list stays where it is.
    if (follow.peek()) anchor.value = placeAt(top);
  });

  // The details of a line take room from the list: the line must not be below its edge then.
  const chosen = selected.value;
  useLayoutEffect(() => {
    if (chosen !== undefined && !follow.peek()) reveal(shown.before(chosen), put.current, height);
  }, [chosen, height]);

  const scrolled = () => {
    const element = scroller.current;
    if (!element || Math.abs(element.scrollTop - put.current) < 1) return;
    put.current = element.scrollTop;
    anchor.value = placeAt(element.scrollTop);
    follow.value = element.scrollTop + element.clientHeight >= element.scrollHeight - 2;
  };

  const first = Math.max(0, Math.floor(top / rowHeight) - spare);
  const after = Math.min(length, Math.ceil((top + height) / rowHeight) + spare);
  const rows = [];
  for (let i = first; i < after; i += 1) {
    const number = shown.numberAt(i);
    const line = shown.at(i);
    if (number === undefined || !line) continue;
    const Row = line.lost === undefined ? LineRow : GapRow;
    rows.push(<Row key={number} number={number} index={i} line={line} selected={number === selected.value} />);
  }
  const active = chosen;
  const activeIndex = active === undefined ? -1 : shown.before(active);

  return (
    <div
      ref={scroller}
      class="lines"
      role="grid"
      aria-label="Log lines"
      aria-rowcount={length + 1}
      aria-activedescendant={activeIndex >= first && activeIndex < after ? `line-${active}` : undefined}
      tabIndex={0}
      onScroll={scrolled}
      onKeyDown={(event) => walk(event, Math.max(1, Math.floor(height / rowHeight) - 1))}
    >
      <Header />
      <div class="sizer" role="rowgroup" style={{ height: `${length * rowHeight}px` }}>
        <div class="window" role="presentation" style={{ transform: `translateY(${first * rowHeight}px)` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}

/** Moves the selection by a key, and the list with it. */
function walk(event: KeyboardEvent, page: number): void {
  const { key } = event;
  const length = listLength.value;
  const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
  if (key === 'End') {
    selected.value = undefined;
    follow.value = true;
  } else if (key === 'Home' || steps[key] !== undefined) {
    if (length === 0) return;
    const top = shown.before(anchor.value.number);
    const current = selected.value !== undefined ? shown.before(selected.value) : follow.value ? length : top - 1;
    const next = key === 'Home' ? 0 : Math.min(length - 1, Math.max(0, current + (steps[key] ?? 0)));
    select(shown.numberAt(next));
  } else if (key === 'Escape') select(undefined);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** The line at that many pixels of the list, and how far into it that is. */
const placeAt = (top: number) => ({
  number: shown.numberAt(Math.floor(top / rowHeight)) ?? lines.end,
  offset: top % rowHeight,
});

/** Scrolls by as little as brings a row into sight. */
function reveal(index: number, scrolled: number, height: number): void {
  const place = index * rowHeight;
  if (place >= scrolled && place + rowHeight <= scrolled + height) return;
  anchor.value = placeAt(place < scrolled ? place : place + rowHeight - height);
}
