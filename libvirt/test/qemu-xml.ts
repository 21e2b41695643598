/** A QEMU guest that never gets further than its BIOS, which prints on the serial console. */
export function biosDomainXml(name: string): string {
  return `<domain type='qemu'>
      <name>${name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
      <os><type arch='x86_64'>hvm</type><bios useserial='yes'/></os>
      <features><acpi/><tcg><tb-cache unit='MiB'>16</tb-cache></tcg></features>
      <devices>
        <serial type='pty'><target port='0'/></serial>
        <console type='pty'><target type='serial' port='0'/></console>
        <video><model type='vga'/></video>
      </devices>
    </domain>`;
}
