/** Which view an address means. Pure: what the browser's history has to do with it is in `address.ts`. */

/** A view, and what it is of. */
export type Route =
  | { readonly view: 'logs' | 'nodes' | 'workers' | 'dead-letters' | 'zone' }
  | { readonly view: 'node'; readonly node: string }
  | { readonly view: 'worker'; readonly node: string; readonly name: string }
  | { readonly view: 'unknown'; readonly path: string };

/** The views in the navigation, in order. */
export const places = [
  { view: 'logs', path: '/logs', title: 'Logs' },
  { view: 'nodes', path: '/nodes', title: 'Nodes' },
  { view: 'workers', path: '/workers', title: 'Workers' },
  { view: 'dead-letters', path: '/dead-letters', title: 'Dead letters' },
  { view: 'zone', path: '/zone', title: 'Zone' },
] as const;

/** The view of a path. `/` is the logs. A part that can't be decoded is nobody's name: unknown. */
export function routeOf(path: string): Route {
  const unknown: Route = { view: 'unknown', path };
  let parts: string[];
  try {
    parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return unknown;
  }
  const [first = 'logs', node, name] = parts;
  const known = places.find(({ view }) => view === first);
  if (parts.length <= 1) return known ? { view: known.view } : unknown;
  if (first === 'nodes' && parts.length === 2 && node) return { view: 'node', node };
  if (first === 'workers' && parts.length === 3 && node && name) return { view: 'worker', node, name };
  return unknown;
}

/** The path of a view. */
export function pathOf(route: Route): string {
  switch (route.view) {
    case 'node':
      return `/nodes/${encodeURIComponent(route.node)}`;
    case 'worker':
      return `/workers/${encodeURIComponent(route.node)}/${encodeURIComponent(route.name)}`;
    case 'unknown':
      return route.path;
    default:
      return `/${route.view}`;
  }
}

/** Which entry of the navigation a view belongs to. */
export function placeOf(route: Route): string {
  return route.view === 'node' ? 'nodes' : route.view === 'worker' ? 'workers' : route.view;
}
