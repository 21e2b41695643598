import { describe, expect, it } from 'vitest';
import { isUcloudSignatureValid, signUcloud } from './ucloud-signing.ts';

/** The worked example of https://docs.ucloud.cn/api/summary/signature. */
const PARAMS = {
  Action: 'DescribeUHostInstance',
  Region: 'cn-bj2',
  Limit: '10',
  PublicKey: 'ucloudsomeone@example.com1296235120854146120',
};
const PRIVATE_KEY = '46f09bb9fab4f12dfc160dae12273d5332b5debe';
const SIGNATURE = 'cba5cf5ec4d4233d206b1b54951e3787350a642f';

describe("UCloud's signature", () => {
  it('is that of the published example', () => {
    expect(signUcloud(PARAMS, PRIVATE_KEY)).toBe(SIGNATURE);
    expect(isUcloudSignatureValid({ ...PARAMS, Signature: SIGNATURE }, PRIVATE_KEY)).toBe(true);
  });

  it('is wrong for another parameter, key or signature', () => {
    const signed = { ...PARAMS, Signature: SIGNATURE };
    expect(isUcloudSignatureValid({ ...signed, Limit: '11' }, PRIVATE_KEY)).toBe(false);
    expect(isUcloudSignatureValid({ ...signed, Offset: '0' }, PRIVATE_KEY)).toBe(false);
    expect(isUcloudSignatureValid(signed, 'another key')).toBe(false);
    expect(isUcloudSignatureValid({ ...signed, Signature: 'cba5' }, PRIVATE_KEY)).toBe(false);
    expect(isUcloudSignatureValid(PARAMS, PRIVATE_KEY)).toBe(false);
  });
});
