/** A volume that is still there after this long is dropped once more. */
export const DROP_AGAIN_MS = 120_000;
