/** The address bar: the view it means, links within the page, and changes that leave no entry in the browser's history. */
import { computed, signal } from '@preact/signals';
import { type Route, routeOf } from './router.ts';

const current = () => ({ path: location.pathname, query: location.search });
const address = signal(current());

/** The view that is shown. */
export const route = computed<Route>(() => routeOf(address.value.path));
/** The query of the address. */
export const query = computed(() => new URLSearchParams(address.value.query));

/** Goes to a path of this page, as a link does. */
export function go(to: string): void {
  if (to === location.pathname + location.search) return;
  history.pushState(null, '', to);
  address.value = current();
}

/** Puts another query into the address, without an entry in the history. */
export function setQuery(text: string): void {
  const to = text ? `${location.pathname}?${text}` : location.pathname;
  if (to === location.pathname + location.search) return;
  history.replaceState(null, '', to);
  address.value = current();
}

/** Changes some fields of the query; an empty one is taken out. */
export function changeQuery(fields: Readonly<Record<string, string>>): void {
  const next = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(fields)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  setQuery(next.toString());
}

/** Follows the back button and clicks on links that stay within the page; `moved` is called after a click or a step back. */
export function watchAddress(moved: () => void): void {
  addEventListener('popstate', () => {
    address.value = current();
    moved();
  });
  addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a[href]') : null;
    if (!link || link.hasAttribute('target') || link.hasAttribute('download')) return;
    // A link within a picture has no `origin` of its own.
    const to = new URL(link.getAttribute('href') ?? '', location.href);
    if (to.origin !== location.origin || to.hash || routeOf(to.pathname).view === 'unknown') return;
    event.preventDefault();
    go(to.pathname + to.search);
    moved();
  });
}
