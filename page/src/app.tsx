/** The frame of the page: where one is, where one can go, whether the zone is heard. */
import { useEffect, useState } from 'preact/hooks';
import { query, route } from './address.ts';
import { count, timeOfDay } from './format.ts';
import { bind } from './keys.ts';
import { deadLettersOf, type SeenNode } from './nodes.ts';
import { Announcer } from './parts/announce.tsx';
import { Help } from './parts/help.tsx';
import { useTitle } from './parts/view.tsx';
import { pathOf, placeOf, places, type Route } from './router.ts';
import { connection, members, membersKnown, nodes, zoneName } from './store.ts';
import { DeadLetters } from './views/dead-letters.tsx';
import { Logs } from './views/logs.tsx';
import { NodeView } from './views/node.tsx';
import { Nodes } from './views/nodes.tsx';
import { WorkerView } from './views/worker.tsx';
import { Workers } from './views/workers.tsx';
import { Zone } from './views/zone.tsx';

function View({ of }: { of: Route }) {
  switch (of.view) {
    case 'logs':
      return <Logs />;
    case 'nodes':
      return <Nodes />;
    case 'node':
      return <NodeView key={of.node} name={of.node} />;
    case 'workers':
      return <Workers />;
    case 'worker':
      return <WorkerView key={pathOf(of)} node={of.node} name={of.name} />;
    case 'dead-letters':
      return <DeadLetters />;
    case 'zone':
      return <Zone />;
    case 'unknown':
      return <Unknown path={of.path} />;
  }
}

function Unknown({ path }: { path: string }) {
  useTitle('Nothing here');
  return (
    <div class="view">
      <h1>Nothing here</h1>
      <p class="empty">
        <code>{path}</code> is no address of this page. <a href="/logs">Logs</a>
      </p>
    </div>
  );
}

/** What a place in the navigation has to tell: how many there are, and whether something is wrong. */
function badgeOf(view: string): { text: string; alarming?: boolean } | undefined {
  if (view === 'nodes' && nodes.value.length > 0) {
    const troubled = nodes.value.filter(({ presence }) => presence === 'gone' || presence === 'stalled').length;
    return { text: count(nodes.value.length), alarming: troubled > 0 };
  }
  if (view === 'workers') {
    const total = nodes.value.reduce((sum, { state }) => sum + state.workersTotal, 0);
    return total > 0 ? { text: count(total) } : undefined;
  }
  if (view === 'dead-letters') {
    const total = deadLettersOf(members.value.values()).reduce((sum, row) => sum + row.total, 0);
    return total > 0 ? { text: count(total) } : undefined;
  }
  return undefined;
}

const isGone = ({ presence }: SeenNode) => presence === 'gone';

function Navigation() {
  const here = placeOf(route.value);
  return (
    <nav aria-label="Views">
      {places.map(({ view, path, title }) => {
        const badge = badgeOf(view);
        return (
          <a key={view} href={path} aria-current={here === view ? 'page' : undefined}>
            {title}
            {badge && <span class={badge.alarming ? 'badge alarming' : 'badge'}>{badge.text}</span>}
          </a>
        );
      })}
    </nav>
  );
}

function ConnectionMark({ retry }: { retry: () => void }) {
  const now = connection.value;
  return (
    <div class={`connection connection-${now.state}`} role="status">
      <span class="dot" aria-hidden="true" />
      {now.state === 'live' && 'live'}
      {now.state === 'opening' && 'connecting'}
      {now.state === 'lost' && (
        <>
          connection lost at {timeOfDay(now.since).slice(0, 8)}
          <button type="button" onClick={retry}>
            Try now
          </button>
        </>
      )}
    </div>
  );
}

/** Says it where nobody is in the zone: what the views show is then the past, or nothing. */
function Deserted() {
  const live = connection.value.state === 'live' && membersKnown.value;
  const deserted = live && [...members.value.values()].every(isGone);
  return (
    <div class={deserted ? 'callout deserted' : 'silent'} role="status">
      {deserted && (
        <>
          {members.value.size > 0
            ? `Nobody is in zone ${zoneName.value} any more: what stands here is the past.`
            : 'Nobody is in this zone yet.'}{' '}
          <code>npx troupe zone deploy</code> brings a zone up; this page shows it then.
        </>
      )}
    </div>
  );
}

/** The page. */
export function App({ retry }: { retry: () => void }) {
  const [help, showHelp] = useState(false);
  void query.value;
  useEffect(() => bind({ '?': () => showHelp(true) }), []);
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <header>
        <a class="brand" href="/logs">
          <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
            <path d="M10 4.5 4.5 14.5h11z" />
            <circle cx="10" cy="4.5" r="3" />
            <circle cx="4.5" cy="14.5" r="3" />
            <circle cx="15.5" cy="14.5" r="3" />
          </svg>
          {zoneName.value || 'troupe'}
        </a>
        <Navigation />
        <ConnectionMark retry={retry} />
        <button type="button" class="quiet" onClick={() => showHelp(true)} aria-label="Keyboard shortcuts">
          ?
        </button>
      </header>
      <Deserted />
      <main id="content" tabIndex={-1} class={connection.value.state === 'lost' ? 'stale' : undefined}>
        <View of={route.value} />
      </main>
      <Announcer />
      {help && <Help close={() => showHelp(false)} />}
    </>
  );
}
