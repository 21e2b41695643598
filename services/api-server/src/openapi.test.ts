import { expect, it } from 'vitest';
import { describeOnEachStore } from './testing/each-store.ts';

describeOnEachStore('the OpenAPI document', (test) => {
  it('describes every public route, and nothing internal', async () => {
    const answer = await test().factory.api.app.inject('/openapi.json');
    const paths: Record<string, Record<string, { operationId: string }>> = answer.json().paths;
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => [operationId, method, path]),
    );
    expect(operations.sort()).toEqual([
      ['addBatchSshKey', 'post', '/v1/batches/{id}:addSshKey'],
      ['addVmSshKey', 'post', '/v1/vms/{id}:addSshKey'],
      ['adoptOrphan', 'post', '/v1/orphans/{id}:adopt'],
      ['attachVolume', 'post', '/v1/vms/{id}:attachVolume'],
      ['cancelOperation', 'post', '/v1/operations/{id}:cancel'],
      ['changeBatch', 'patch', '/v1/batches/{id}'],
      ['changeSubnet', 'patch', '/v1/subnets/{id}'],
      ['changeVm', 'patch', '/v1/vms/{id}'],
      ['completeImage', 'post', '/v1/images/{id}:complete'],
      ['createBatch', 'post', '/v1/batches'],
      ['createImage', 'post', '/v1/images'],
      ['createSubnet', 'post', '/v1/subnets'],
      ['createVolume', 'post', '/v1/volumes'],
      ['declareHostGone', 'post', '/v1/clusters/{cluster}/hosts/{host}:declareGone'],
      ['deleteBatch', 'delete', '/v1/batches/{id}'],
      ['deleteBatchSnapshot', 'post', '/v1/batches/{id}:deleteSnapshot'],
      ['deleteImageVersion', 'delete', '/v1/images/{name}/versions/{version}'],
      ['deleteSubnet', 'delete', '/v1/subnets/{id}'],
      ['deleteVm', 'delete', '/v1/vms/{id}'],
      ['deleteVmSnapshot', 'post', '/v1/vms/{id}:deleteSnapshot'],
      ['deleteVolume', 'delete', '/v1/volumes/{id}'],
      ['detachVolume', 'post', '/v1/vms/{id}:detachVolume'],
      ['getBatch', 'get', '/v1/batches/{id}'],
      ['getImage', 'get', '/v1/images/{name}'],
      ['getImageOffset', 'get', '/v1/images/{id}/content'],
      ['getOperation', 'get', '/v1/operations/{id}'],
      ['getSubnet', 'get', '/v1/subnets/{id}'],
      ['getVm', 'get', '/v1/vms/{id}'],
      ['getVmLogs', 'get', '/v1/vms/{id}/logs'],
      ['getVmMetrics', 'get', '/v1/vms/{id}/metrics'],
      ['getVmMetricsHistory', 'get', '/v1/vms/{id}/metrics/history'],
      ['getVmScreenshot', 'get', '/v1/vms/{id}/screenshot'],
      ['getVolume', 'get', '/v1/volumes/{id}'],
      ['listBatches', 'get', '/v1/batches'],
      ['listClusters', 'get', '/v1/clusters'],
      ['listImageVersions', 'get', '/v1/images/{name}/versions'],
      ['listImages', 'get', '/v1/images'],
      ['listMetrics', 'get', '/v1/metrics'],
      ['listOperationResults', 'get', '/v1/operations/{id}/results'],
      ['listOrphans', 'get', '/v1/orphans'],
      ['listSubnets', 'get', '/v1/subnets'],
      ['listVmSnapshots', 'get', '/v1/vms/{id}/snapshots'],
      ['listVms', 'get', '/v1/vms'],
      ['listVolumes', 'get', '/v1/volumes'],
      ['makeVmImage', 'post', '/v1/vms/{id}:makeImage'],
      ['openConsole', 'post', '/v1/vms/{id}:console'],
      ['putImageContent', 'put', '/v1/images/{id}/content'],
      ['rebootBatch', 'post', '/v1/batches/{id}:reboot'],
      ['rebootVm', 'post', '/v1/vms/{id}:reboot'],
      ['rebuildVm', 'post', '/v1/vms/{id}:rebuild'],
      ['removeOrphan', 'post', '/v1/orphans/{id}:remove'],
      ['resetBatch', 'post', '/v1/batches/{id}:reset'],
      ['resetVm', 'post', '/v1/vms/{id}:reset'],
      ['resizeVm', 'post', '/v1/vms/{id}:resize'],
      ['resumeBatch', 'post', '/v1/batches/{id}:resume'],
      ['resumeVm', 'post', '/v1/vms/{id}:resume'],
      ['revertBatch', 'post', '/v1/batches/{id}:revert'],
      ['revertVm', 'post', '/v1/vms/{id}:revert'],
      ['setBatchPassword', 'post', '/v1/batches/{id}:setPassword'],
      ['setVmPassword', 'post', '/v1/vms/{id}:setPassword'],
      ['snapshotBatch', 'post', '/v1/batches/{id}:snapshot'],
      ['snapshotVm', 'post', '/v1/vms/{id}:snapshot'],
      ['stageImage', 'post', '/v1/images/{name}:stage'],
      ['startBatch', 'post', '/v1/batches/{id}:start'],
      ['startVm', 'post', '/v1/vms/{id}:start'],
      ['stopBatch', 'post', '/v1/batches/{id}:stop'],
      ['stopVm', 'post', '/v1/vms/{id}:stop'],
      ['suspendBatch', 'post', '/v1/batches/{id}:suspend'],
      ['suspendVm', 'post', '/v1/vms/{id}:suspend'],
    ]);
  });

  it('lets nobody in without the internal token, whatever the route', async () => {
    const { app } = test().factory.api;
    const answer = await app.inject('/openapi.json');
    const paths: Record<string, Record<string, unknown>> = answer.json().paths;
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        const url = path.replace('{id}', `vm_${'0'.repeat(32)}`);
        const refused = await app.inject({ method: method.toUpperCase() as 'GET', url });
        expect(refused.statusCode, `${method} ${path}`).toBe(401);
      }
    }
  });
});
