import { createHash, timingSafeEqual } from 'node:crypto';

/** The parameters of a UCloud-style action, as texts. */
export type UcloudParams = Readonly<Record<string, string>>;

/**
 * UCloud's signature: SHA-1 in hexadecimal over all parameters but the signature, by name, each as name
 * and value without anything between, and the private key at the end
 * (https://docs.ucloud.cn/api/summary/signature). It has neither time nor nonce: who sees a request can
 * send it again.
 */
export function signUcloud(params: UcloudParams, privateKey: string): string {
  const names = Object.keys(params)
    .filter((name) => name !== 'Signature')
    .sort();
  const text = names.map((name) => `${name}${params[name]}`).join('');
  return createHash('sha1').update(text).update(privateKey).digest('hex');
}

/** Whether the parameters have the right signature; takes as long when it is wrong. */
export function isUcloudSignatureValid(params: UcloudParams, privateKey: string): boolean {
  const expected = Buffer.from(signUcloud(params, privateKey));
  const given = Buffer.from((params.Signature ?? '').toLowerCase());
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** What UCloud's answers say in place of a status (https://docs.ucloud.cn/api/summary/public). */
export const UCLOUD_CODES = {
  ok: 0,
  timeout: 110,
  unavailable: 150,
  throttled: 153,
  noAction: 160,
  unknownAction: 161,
  noSignature: 170,
  badSignature: 171,
  missingParameter: 220,
  badParameter: 230,
  noProject: 292,
  denied: 299,
} as const;

/** An answer that says why not; its HTTP status is 200 all the same. */
export function ucloudRefusal(
  action: string | undefined,
  code: keyof typeof UCLOUD_CODES,
  message: string,
): { readonly RetCode: number; readonly Action: string; readonly Message: string } {
  return { RetCode: UCLOUD_CODES[code], Action: `${action ?? ''}Response`, Message: message };
}
