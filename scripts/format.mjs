// `npm run format`: lays all files out as `npm run verify` wants them.
import { main, run } from './shell.mjs';
import { setUp } from './setup.mjs';

await main(async () => {
  await setUp();
  await run('cargo', ['fmt', '--all']);
  await run('prettier', ['--write', '--log-level', 'warn', '.']);
});
