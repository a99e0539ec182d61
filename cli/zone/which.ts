/** Which zone a command is about. */
import { existsSync } from 'node:fs';
import { CommandFailure, EXIT } from '../failure.ts';

/** A zone's name, and who said it, in words for a failure: `named by --zone`. */
export interface WhichZone {
  readonly zone: string;
  readonly from: string;
}

/** The option that all commands about a zone have. */
export interface ZoneOption {
  zone?: string;
}

const NAME = /^[A-Za-z0-9_-]{1,128}$/;
const FILE = 'troupe.yaml';

/** `--zone`, else the name in `./troupe.yaml`, else `TROUPE_ZONE`, else `default`, as for nodes themselves. */
export async function whichZone({ zone }: ZoneOption): Promise<WhichZone> {
  if (zone !== undefined) return checked(zone, 'named by --zone');
  if (existsSync(FILE)) {
    const { readName } = await import('../config/read.ts');
    const name = readName(FILE);
    if (name !== undefined) return checked(name, `named by ${FILE}`);
    throw new CommandFailure(
      `${FILE} has no "name" that can be one of a zone. Mend it (troupe zone deploy --dry-run lists what is wrong), or say --zone NAME.`,
      EXIT.usage,
    );
  }
  const variable = process.env['TROUPE_ZONE'];
  if (variable) return checked(variable, 'named by TROUPE_ZONE');
  return { zone: 'default', from: `the default, as there is no --zone, ./${FILE} or TROUPE_ZONE` };
}

function checked(zone: string, from: string): WhichZone {
  if (NAME.test(zone)) return { zone, from };
  throw new CommandFailure(
    `"${zone.slice(0, 40)}", ${from}, can't be a zone; expected a name of 1 to 128 letters, digits, "_" or "-"`,
    EXIT.usage,
  );
}
