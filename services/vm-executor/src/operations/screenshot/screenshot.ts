import type { OperationData, VmId } from '@factory/contracts';
import type { Hypervisor, Screen } from '../../hypervisor/port.ts';
import { BadPictureError, halved, type Picture, parsePpm } from './picture.ts';
import { encodePng, sizeOfPng } from './png.ts';

type Screenshot = Extract<OperationData, { readonly kind: 'screenshot' }>;

/** It travels in a framework message, in base64, in base64: below the master's bound of 1 MiB. */
const PNG_BYTES_MAX = 384 * 1024;

/** What the machine's screen shows. @throws VmFailure; BadPictureError */
export async function takeScreenshot(
  vmId: VmId,
  hypervisor: Hypervisor,
): Promise<{ readonly data: OperationData }> {
  return { data: screenshotOf(await hypervisor.screenshot(vmId)) };
}

/** The screen as PNG, made smaller as often as it takes to be sent. @throws BadPictureError */
export function screenshotOf({ mime, bytes }: Screen, bytesMax = PNG_BYTES_MAX): Screenshot {
  if (mime === 'image/png') {
    const size = sizeOfPng(bytes);
    if (size === undefined) throw new BadPictureError('it does not begin as a PNG does');
    if (bytes.length > bytesMax) throw new BadPictureError(`${bytes.length} bytes are too many`);
    return { kind: 'screenshot', png: Buffer.from(bytes).toString('base64'), ...size };
  }
  let picture: Picture = parsePpm(bytes);
  let png = encodePng(picture);
  while (png.length > bytesMax && picture.widthPx * picture.heightPx > 1) {
    picture = halved(picture);
    png = encodePng(picture);
  }
  const { widthPx, heightPx } = picture;
  return { kind: 'screenshot', png: png.toString('base64'), widthPx, heightPx };
}
