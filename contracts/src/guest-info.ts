import { type Static, Type } from 'typebox';

const Text = (maxLength: number) => Type.Union([Type.String({ maxLength }), Type.Null()]);

/** What bounds what a guest, which is not trusted, may say of itself. */
export const GUEST_INFO_LIMITS = { textMax: 255, addressesMax: 32 } as const;

/** What a running guest says of itself through its agent; null where it can't tell. */
export const GuestInfoSchema = Type.Object({
  hostName: Text(GUEST_INFO_LIMITS.textMax),
  os: Type.Union([
    Type.Object({
      /** `debian`, `windows`: os-release's ID, or QEMU's for Windows. */
      id: Type.String({ maxLength: GUEST_INFO_LIMITS.textMax }),
      /** For people. */
      name: Text(GUEST_INFO_LIMITS.textMax),
      version: Text(GUEST_INFO_LIMITS.textMax),
      kernel: Text(GUEST_INFO_LIMITS.textMax),
    }),
    Type.Null(),
  ]),
  /** Of all its cards, but not of its loopback. */
  addresses: Type.Array(
    Type.Object({
      /** As the guest calls the card: `eth0`. */
      interface: Type.String({ maxLength: GUEST_INFO_LIMITS.textMax }),
      ipAddress: Type.String({ maxLength: GUEST_INFO_LIMITS.textMax }),
    }),
    { maxItems: GUEST_INFO_LIMITS.addressesMax },
  ),
});
export type GuestInfo = Static<typeof GuestInfoSchema>;
