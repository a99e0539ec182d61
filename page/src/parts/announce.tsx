/** Short news: shown for a while, and read out by screen readers when they have a pause. */
import { signal } from '@preact/signals';

const news = signal('');
let timer: ReturnType<typeof setTimeout> | undefined;

/** Says something that the person has just brought about, or must know. */
export function announce(text: string): void {
  clearTimeout(timer);
  news.value = text;
  timer = setTimeout(() => (news.value = ''), 4000);
}

/** The place where it is said; there is one in the page. */
export function Announcer() {
  return (
    <div class={news.value ? 'news' : 'news silent'} role="status" aria-live="polite">
      {news.value}
    </div>
  );
}
