import type { Vm } from '@factory/contracts';
import { connectLibvirt } from '@factory/libvirt';
import { systemClock, withDeadline } from '@factory/runtime';

const ANSWER_TIMEOUT_MS = 30_000;

/** What the machine's shell answers on its serial console. */
export async function typed({ id }: Vm, command: string): Promise<string> {
  const libvirt = await connectLibvirt({ uri: 'qemu:///system', clock: systemClock });
  try {
    const domain = await libvirt.domains.lookupByName(`fct-${id}`);
    const console_ = await libvirt.domains.openConsole(domain);
    // Put together by the shell: what is typed is shown as well, and is not the answer.
    await console_.write(Buffer.from(`\n${command}; echo FACTORY-"END"\n`));
    return await withDeadline(
      systemClock,
      `an answer to ${command}`,
      ANSWER_TIMEOUT_MS,
      async () => {
        let shown = '';
        for await (const bytes of console_) {
          shown += Buffer.from(bytes).toString('latin1').replaceAll('\r', '');
          if (shown.includes('FACTORY-END')) break;
        }
        return shown;
      },
    );
  } finally {
    await libvirt.close();
  }
}
