import type { Knex } from 'knex';

interface Column {
  readonly type: string;
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
}

/** A rule that rows must meet: a check, a key, a reference, a unique index. */
interface Constraint {
  readonly table: string;
  /** As PostgreSQL writes it. */
  readonly says: string;
  readonly columns: readonly string[];
}

/** What of a database's form its users depend on. */
export interface Schema {
  /** By table, then by name. */
  readonly tables: ReadonlyMap<string, ReadonlyMap<string, Column>>;
  readonly constraints: ReadonlyMap<string, Constraint>;
}

/** Reads the form of the schema `public`. */
export async function readSchema(knex: Knex): Promise<Schema> {
  const { rows: columns } = await knex.raw(
    `select table_name, column_name, data_type, is_nullable = 'YES' as nullable,
       column_default is not null or is_identity = 'YES' as has_default
     from information_schema.columns where table_schema = 'public'`,
  );
  const tables = new Map<string, Map<string, Column>>();
  for (const row of columns) {
    const table = tables.get(row.table_name) ?? new Map<string, Column>();
    const { data_type: type, nullable: isNullable, has_default: hasDefault } = row;
    tables.set(row.table_name, table.set(row.column_name, { type, isNullable, hasDefault }));
  }
  const { rows: rules } = await knex.raw(
    `select c.conname as name, r.relname as table, pg_get_constraintdef(c.oid) as says,
       array(select attname::text from pg_attribute
             where attrelid = c.conrelid and attnum = any(c.conkey)) as columns
     from pg_constraint c join pg_class r on r.oid = c.conrelid
     where c.connamespace = 'public'::regnamespace and c.contype <> 'n'
     union all
     select i.relname, r.relname, pg_get_indexdef(i.oid),
       array(select attname::text from pg_attribute
             where attrelid = r.oid and attnum = any(x.indkey))
     from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class r on r.oid = x.indrelid
     where x.indisunique and r.relnamespace = 'public'::regnamespace
       and not exists (select 1 from pg_constraint c where c.conindid = i.oid)`,
  );
  const constraints = new Map<string, Constraint>();
  for (const { name, table, says, columns: named } of rules) {
    constraints.set(`${table}.${name}`, { table, says, columns: named });
  }
  return { tables, constraints };
}

/**
 * Where an older release, which knows nothing of the step from `before` to `after`, would fail: what
 * it reads is gone, or what it writes is refused. Pure.
 */
export function narrowings(before: Schema, after: Schema): readonly string[] {
  return [...columnsNarrowed(before, after), ...constraintsAdded(before, after)];
}

function columnsNarrowed(before: Schema, after: Schema): readonly string[] {
  const found: string[] = [];
  for (const [table, columns] of before.tables) {
    const now = after.tables.get(table);
    if (now === undefined) {
      found.push(`${table} is dropped`);
      continue;
    }
    for (const [name, was] of columns) {
      const is = now.get(name);
      const what = `${table}.${name}`;
      if (is === undefined) found.push(`${what} is dropped`);
      else if (is.type !== was.type) found.push(`${what} was ${was.type} and is ${is.type}`);
      else if (was.isNullable && !is.isNullable) found.push(`${what} may not be null any more`);
      else if (was.hasDefault && !is.hasDefault) found.push(`${what} has no default any more`);
    }
    for (const [name, { isNullable, hasDefault }] of now) {
      if (columns.has(name) || isNullable || hasDefault) continue;
      found.push(`${table}.${name} is new, may not be null and has no default`);
    }
  }
  return found;
}

/** Of tables that were there; one on new columns alone binds nobody who does not know these. */
function constraintsAdded(before: Schema, after: Schema): readonly string[] {
  return [...after.constraints].flatMap(([name, { table, columns, says }]) => {
    const known = before.tables.get(table);
    if (known === undefined || before.constraints.get(name)?.says === says) return [];
    return columns.some((column) => known.has(column)) ? [`${name}: ${says}`] : [];
  });
}
