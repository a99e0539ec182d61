/** The page of a zone. Begins to read, and draws. */
import './style/base.css';
import './style/frame.css';
import './style/logs.css';
import './style/tables.css';
import './style/picture.css';
import { render } from 'preact';
import { go, query, watchAddress } from './address.ts';
import { App } from './app.tsx';
import { bind, watchKeys } from './keys.ts';
import { places } from './router.ts';
import { start } from './store.ts';

const { retry } = start(query.value.get('line') ?? '');
const toContent = () => document.getElementById('content')?.focus({ preventScroll: true });
watchAddress(toContent);
watchKeys();
bind(
  Object.fromEntries(
    places.map(({ path }, i) => [
      String(i + 1),
      () => {
        go(path);
        toContent();
      },
    ]),
  ),
);
const root = document.getElementById('page');
if (root) render(<App retry={retry} />, root);
