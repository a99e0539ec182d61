/** What every view has: a title, what belongs beside it, and the JSON of its address. */
import { type ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { zoneName } from '../store.ts';
import { JsonButton } from './json.tsx';

interface ViewProps {
  readonly title: string;
  /** Beside the title, in fewer words than the view has rows. */
  readonly note?: ComponentChildren;
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** Names the tab: what is shown, of which zone. */
export function useTitle(title: string): void {
  const zone = zoneName.value;
  useEffect(() => {
    document.title = zone ? `${title} · ${zone}` : title;
  }, [title, zone]);
}

/** A view that scrolls as a whole. */
export function View({ title, note, tools, children }: ViewProps) {
  useTitle(title);
  return (
    <div class="view">
      <div class="view-head">
        <h1>{title}</h1>
        <p class="note">{note}</p>
        <div class="tools">
          {tools}
          <JsonButton />
        </div>
      </div>
      {children}
    </div>
  );
}

/** A part of a view, with a title of its own. */
export function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** A figure with its name below. */
export function Figure({
  name,
  children,
  alarming,
}: {
  name: string;
  children: ComponentChildren;
  alarming?: boolean;
}) {
  return (
    <div class={alarming ? 'figure alarming' : 'figure'}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
