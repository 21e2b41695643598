import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn, INTERNAL_TOKEN, TestCaller } from '../testing/factory.ts';

describeOnEachStore('UCloud-style actions', (test) => {
  /** An action as the gateway sends it on, for a caller. */
  const act = async (
    Action: string,
    params: Record<string, string> = {},
    caller = test().factory.caller,
  ) => {
    const answer = await test().factory.api.app.inject({
      method: 'POST',
      url: '/internal/v1/ucloud',
      headers: {
        authorization: `Bearer ${INTERNAL_TOKEN}`,
        'x-factory-principal': JSON.stringify(caller.principal),
      },
      payload: { Action, ...params },
    });
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json();
  };
  const SIZE = { CPU: '1', Memory: '1024' };

  async function ready() {
    const cluster = await test().factory.join('idc-1');
    const capacity = capacityOf(test().clock, 2, { vcpus: 64, memoryMiB: 65_536 });
    await cluster.exchange({ capacity });
    return cluster;
  }

  it('take machines through their lives', async () => {
    const cluster = await ready();
    const polling = cluster.exchange({}, 5_000);
    const created = await act('CreateUHostInstance', {
      ...{ Name: 'Render Farm', ImageId: 'micro', MaxCount: '3', ...SIZE, Zone: 'idc-1' },
      ...{ 'Disks.0.IsBoot': 'True', 'Disks.0.Size': '20', 'Disks.0.Type': 'CLOUD_SSD' },
      ...{ LoginMode: 'Password', Password: 'UGFzc3dvcmQxMjM=' },
    });
    expect(created).toMatchObject({ RetCode: 0, Action: 'CreateUHostInstanceResponse' });
    expect(created.UHostIds).toHaveLength(3);
    let vms = assignedIn(await polling);
    while (vms.length < 3) vms = [...vms, ...assignedIn(await cluster.exchange({}, 1_000))];
    await cluster.exchange({ vms: vms.map((vm) => cluster.report(vm)) });
    const [UHostId = ''] = created.UHostIds;
    const page = await act('DescribeUHostInstance', { Limit: '2', Offset: '2' });
    expect(page).toMatchObject({ RetCode: 0, TotalCount: 3, UHostSet: [{ State: 'Running' }] });
    const one = await act('DescribeUHostInstance', { 'UHostIds.0': UHostId });
    expect(one.UHostSet).toMatchObject([
      { UHostId, Zone: 'idc-1', CPU: 1, Memory: 1024, Tag: expect.stringMatching(/^render-farm-/) },
    ]);
    for (const action of ['StopUHostInstance', 'PoweroffUHostInstance', 'TerminateUHostInstance']) {
      expect(await act(action, { UHostId })).toMatchObject({ RetCode: 0, UHostId });
    }
    const { desiredState } = await test().factory.caller.ok('GET', `/v1/vms/${UHostId}`);
    expect(desiredState).toBe('deleted');
    const started = await act('StartUHostInstance', { UHostId });
    expect(started).toMatchObject({ RetCode: 230, Message: expect.any(String) });
  });

  it('show images, projects and regions', async () => {
    await ready();
    expect(await act('DescribeImage')).toMatchObject({
      ...{ RetCode: 0, TotalCount: 1 },
      ImageSet: [{ ImageId: 'micro', ImageType: 'Base', State: 'Available' }],
    });
    const { projectId } = test().factory.caller;
    expect(await act('GetProjectList')).toMatchObject({
      ...{ RetCode: 0, ProjectCount: 1 },
      ProjectSet: [{ ProjectId: projectId, ProjectName: 'default', IsDefault: true }],
    });
    const { Regions } = await act('GetRegion');
    expect(Regions).toMatchObject([{ Zone: 'idc-1', IsDefault: true }]);
  });

  it('are refused in their own words', async () => {
    await ready();
    const codes = async (...args: Parameters<typeof act>) => (await act(...args)).RetCode;
    const UHostId = `vm_${'0'.repeat(32)}`;
    expect(await codes('DropEverything')).toBe(161);
    expect(await codes('constructor')).toBe(161);
    expect(await codes('DescribeImage', { ProjectId: `prj_${'0'.repeat(32)}` })).toBe(292);
    expect(await codes('StartUHostInstance')).toBe(220);
    expect(await codes('StartUHostInstance', { UHostId: '../batches' })).toBe(230);
    expect(await codes('StartUHostInstance', { UHostId })).toBe(230);
    expect(await codes('CreateUHostInstance', { ImageId: 'micro', MaxCount: '101' })).toBe(230);
    expect(await codes('CreateUHostInstance', { ImageId: 'nothing', ...SIZE })).toBe(230);
    const viewer = test().factory.caller.as('viewer');
    expect(await codes('StartUHostInstance', { UHostId }, viewer)).toBe(299);
    const partner = test().factory.caller.as('partner');
    expect(await codes('DescribeUHostInstance', {}, partner)).toBe(299);
  });

  it("see nothing of another tenant's", async () => {
    const cluster = await ready();
    const polling = cluster.exchange({}, 5_000);
    const { UHostIds } = await act('CreateUHostInstance', { ImageId: 'micro', ...SIZE });
    await polling;
    const studio = await test().factory.caller.ok('POST', '/v1/organisations', { name: 'studio' });
    const path = `/v1/projects?organisationId=${studio.id}`;
    const [project] = (await test().factory.caller.ok('GET', path)).items;
    const stranger = new TestCaller(test().factory.api.app, project.id, 'admin', false, {
      organisationId: studio.id,
    });
    const seen = await act('DescribeUHostInstance', { 'UHostIds.0': UHostIds[0] }, stranger);
    expect(seen).toMatchObject({ RetCode: 0, TotalCount: 0, UHostSet: [] });
    expect(await act('DescribeUHostInstance', {}, stranger)).toMatchObject({ TotalCount: 0 });
    const params = { UHostId: UHostIds[0] };
    expect(await act('TerminateUHostInstance', params, stranger)).toMatchObject({ RetCode: 230 });
  });
});
