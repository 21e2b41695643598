/** `{tier: 'gold'}` of `tier=gold,…`. @throws Error when it is written otherwise. */
export function readAttributes(text: string): Record<string, string> {
  const parts = text.split(',').filter((part) => part.trim() !== '');
  return Object.fromEntries(
    parts.map((part) => {
      const [, name, value] = /^\s*([a-z][a-z0-9_.-]*)=(.*?)\s*$/.exec(part) ?? [];
      if (name !== undefined && value !== undefined) return [name, value];
      throw new Error(`FACTORY_CLUSTER_ATTRIBUTES: ${part} is not written as name=value`);
    }),
  );
}
