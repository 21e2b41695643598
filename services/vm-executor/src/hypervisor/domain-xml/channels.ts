import type { DomainPlan } from '../domain-plan.ts';
import { type XmlElement, xml } from '../xml.ts';

/** The serial console: a pty, so that one can attach to it; virtlogd keeps what is written. */
export function serialConsole(plan: DomainPlan): readonly XmlElement[] {
  return [
    xml(
      'serial',
      { type: 'pty' },
      xml('log', { file: plan.consolePath, append: 'on' }),
      xml('target', { port: 0 }),
    ),
    xml('console', { type: 'pty' }, xml('target', { type: 'serial', port: 0 })),
  ];
}

/** By which QEMU's guest agent is spoken to; libvirt makes its socket. */
export function agentChannel(plan: DomainPlan): readonly XmlElement[] {
  if (plan.hasAgentChannel !== true) return [];
  const target = xml('target', { type: 'virtio', name: 'org.qemu.guest_agent.0' });
  return [xml('channel', { type: 'unix' }, target)];
}
