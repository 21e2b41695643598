const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1024,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
  TB: 1024 ** 4,
};

/** Bytes of a size in Mesos' form (`2GB`, powers of 1024); undefined when it is none. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+)([A-Z]+)$/.exec(text.trim());
  const unitBytes = UNIT_BYTES[match?.[2] ?? ''];
  return unitBytes === undefined ? undefined : Number(match?.[1]) * unitBytes;
}
