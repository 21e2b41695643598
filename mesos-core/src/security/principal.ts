/** Who makes a call, as far as authentication found out. */
export interface Principal {
  /** The name; tokens of executors have only claims. */
  readonly value: string | undefined;
  readonly claims: Readonly<Record<string, string>>;
}

/** The principal as Mesos shows it in messages. */
export function formatPrincipal({ value, claims }: Principal): string {
  const pairs = Object.entries(claims).map(([key, claim]) => `${key}: ${claim}`);
  const shownClaims = pairs.length === 0 ? '' : `{ ${pairs.join(', ')} }`;
  return [value ?? '', shownClaims].filter((part) => part !== '').join(' ');
}
