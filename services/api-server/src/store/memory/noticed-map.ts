/** A map that tells of each change of an entry: what triggers are to a table. */
export class NoticedMap<Key, Value> extends Map<Key, Value> {
  readonly #onChange: (before: Value | undefined, after: Value | undefined) => void;

  constructor(onChange: (before: Value | undefined, after: Value | undefined) => void) {
    super();
    this.#onChange = onChange;
  }

  override set(key: Key, value: Value): this {
    const before = this.get(key);
    super.set(key, value);
    this.#onChange(before, value);
    return this;
  }

  override delete(key: Key): boolean {
    const before = this.get(key);
    const isThere = super.delete(key);
    if (isThere) this.#onChange(before, undefined);
    return isThere;
  }
}
