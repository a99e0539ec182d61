/** A table with a caption, headers that sort, and rows that keep their place. */
import { type ComponentChildren } from 'preact';

/** A column of a table of `Row`s. */
export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  /** What the title means, where a word is not enough. */
  readonly hint?: string;
  readonly numeric?: boolean;
  /** The header cell of its row. */
  readonly head?: boolean;
  readonly cell: (row: Row) => ComponentChildren;
}

/** What orders a table, and what has it ordered otherwise. */
export interface Ordering {
  readonly by: string;
  readonly down: boolean;
  readonly columns: readonly string[];
  change(by: string): void;
}

interface TableProps<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly ordering?: Ordering;
  readonly classOf?: (row: Row) => string | undefined;
  /** Said instead of rows where there are none. */
  readonly empty: string;
}

/** The table. Its caption is for those who can't see where it stands. */
export function Table<Row>({ caption, columns, rows, keyOf, ordering, classOf, empty }: TableProps<Row>) {
  return (
    <div class="table" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <Header key={column.id} column={column} ordering={ordering} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} class={classOf?.(row)}>
              {columns.map(({ id, numeric, head, cell }) =>
                head ? (
                  <th key={id} scope="row">
                    {cell(row)}
                  </th>
                ) : (
                  <td key={id} class={numeric ? 'number' : undefined}>
                    {cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
          {rows.length === 0 && (
            <tr>
              <td colSpan={columns.length} class="empty">
                {empty}
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}

function Header<Row>({ column, ordering }: { column: Column<Row>; ordering: Ordering | undefined }) {
  const kind = column.numeric ? 'number' : undefined;
  if (!ordering?.columns.includes(column.id)) {
    return (
      <th scope="col" class={kind} title={column.hint}>
        {column.title}
      </th>
    );
  }
  const chosen = ordering.by === column.id;
  return (
    <th scope="col" class={kind} aria-sort={chosen ? (ordering.down ? 'descending' : 'ascending') : undefined}>
      <button type="button" class="sort" title={column.hint} onClick={() => ordering.change(column.id)}>
        {column.title}
        <span aria-hidden="true" class="arrow">
          {chosen ? (ordering.down ? '↓' : '↑') : ''}
        </span>
      </button>
    </th>
  );
}
