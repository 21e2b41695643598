import type { DomainPlan } from '../domain-plan.ts';
import { type XmlElement, xml } from '../xml.ts';
import type { Machine } from './machine.ts';

/**
 * A screen, seen by VNC. libvirt makes the socket in a folder of the running domain that only QEMU's
 * user and root may enter, and removes it; no port of the host is opened. {@link vncSocketOf} says
 * where it is.
 */
export function screen(plan: DomainPlan, { isWindows }: Machine): readonly XmlElement[] {
  if (plan.hasScreen !== true) return [];
  return [
    // Without it the pointer on the screen is not where the viewer's is.
    ...(isWindows ? [xml('input', { type: 'tablet', bus: 'usb' })] : []),
    xml('graphics', { type: 'vnc' }, xml('listen', { type: 'socket' })),
    // Every firmware and system can show something on it without a driver.
    xml('video', {}, xml('model', { type: 'vga', vram: 16_384, heads: 1 })),
  ];
}

/** The VNC socket in a running domain's XML, as libvirt prints it; undefined when it has none. */
export function vncSocketOf(liveXml: string): string | undefined {
  return /<graphics type=['"]vnc['"][^>]*\ssocket=['"]([^'"]+)['"]/.exec(liveXml)?.[1];
}
