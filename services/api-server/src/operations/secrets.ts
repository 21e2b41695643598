import type { LinkCommand, OperationRequest } from '@factory/contracts';
import type { SecretBox } from '@factory/runtime';

/** The request as it may be kept until its cluster asks for it. */
export function sealed(request: OperationRequest, secrets: SecretBox): OperationRequest {
  if (request.kind !== 'setPassword') return request;
  const { operationId, params } = request;
  const password = secrets.seal(params.password, operationId);
  return { ...request, params: { ...params, password } };
}

/** The command as its cluster is told of it. @throws UnsealError */
export function opened(command: LinkCommand, secrets: SecretBox): LinkCommand {
  if (command.kind !== 'operate') return command;
  const operations = command.operations.map((request) => {
    if (request.kind !== 'setPassword') return request;
    const { operationId, params } = request;
    const password = secrets.open(params.password, operationId);
    return { ...request, params: { ...params, password } };
  });
  return { ...command, operations };
}
