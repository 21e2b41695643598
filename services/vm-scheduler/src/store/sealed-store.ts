import type { OperationRequest } from '@factory/contracts';
import { type SecretBox, UnsealError } from '@factory/runtime';
import type { OperationRecord, SchedulerStore } from './store.ts';

/** What was sealed here; records of earlier versions have the password itself. */
const MARK = 'sealed:';

/**
 * A store in which no password can be read, though an operation that needs one is kept until it has
 * ended. One that can't be opened, because the key is another, is empty when it is loaded.
 */
export function createSealedStore(store: SchedulerStore, secrets: SecretBox): SchedulerStore {
  return {
    async load() {
      const stored = await store.load();
      return { ...stored, operations: stored.operations.map((each) => changed(each, open)) };
    },
    saveFrameworkId: (frameworkId) => store.saveFrameworkId(frameworkId),
    save: (changes) =>
      store.save({ ...changes, operations: changes.operations.map((each) => changed(each, seal)) }),
  };

  function seal(password: string, operationId: string): string {
    return password === '' ? '' : `${MARK}${secrets.seal(password, operationId)}`;
  }

  function open(password: string, operationId: string): string {
    if (!password.startsWith(MARK)) return password;
    try {
      return secrets.open(password.slice(MARK.length), operationId);
    } catch (error) {
      if (error instanceof UnsealError) return '';
      throw error;
    }
  }
}

function changed(
  record: OperationRecord,
  change: (password: string, operationId: string) => string,
): OperationRecord {
  return { ...record, request: withPassword(record.request, change) };
}

function withPassword(
  request: OperationRequest,
  change: (password: string, operationId: string) => string,
): OperationRequest {
  if (request.kind !== 'setPassword') return request;
  const { operationId, params } = request;
  return { ...request, params: { ...params, password: change(params.password, operationId) } };
}
