import {
  decodeMessage,
  type Encoding,
  encodeMessage,
  type MasterCall,
  type MasterResponse,
  MEDIA_TYPES,
} from '../../protocol/index.ts';
import type { World } from './world.ts';

/** Has an operator make a call of the v1 API, and lets it take effect. */
export async function operatorCall(world: World, call: MasterCall, encoding: Encoding = 'json') {
  const type = MEDIA_TYPES[encoding];
  const response = await world.master.app.inject({
    ...{ method: 'POST', url: '/api/v1', headers: { 'content-type': type, accept: type } },
    payload: Buffer.from(encodeMessage('master.Call', encoding, call)),
  });
  await world.run(100);
  return response;
}

/** The answer to a call of an operator. @throws CodecError when it is none. */
export async function operatorAnswer(
  world: World,
  call: MasterCall,
  encoding: Encoding = 'json',
): Promise<MasterResponse> {
  const { rawPayload } = await operatorCall(world, call, encoding);
  return decodeMessage('master.Response', encoding, rawPayload);
}
