import type { VmHardware } from '@factory/contracts';
import type { ImageFacts } from './version.ts';

/**
 * What kind of machine an image needs, as its owner said when it was brought: what a batch does not
 * say otherwise. Pure.
 */
export function hardwareOfImage({
  os,
  firmware,
  drivers,
}: Pick<ImageFacts, 'os' | 'firmware' | 'drivers'>): VmHardware {
  return {
    ...(os === 'windows' ? { os } : {}),
    ...(firmware === 'uefi' ? { firmware } : {}),
    ...(drivers === 'emulated' ? { devices: drivers } : {}),
  };
}
