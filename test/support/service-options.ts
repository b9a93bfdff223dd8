import type { ServiceOptions } from '../../src/service.ts';

/** The service on a free port of this machine, with passwords of its own; `more` goes before. */
export function serviceOptions(stateDir: string, more: Partial<ServiceOptions> = {}): ServiceOptions {
  return {
    stateDir,
    listen: '127.0.0.1',
    port: 0,
    basePath: '/',
    trustedProxies: [],
    logLevel: 'info',
    isViewReloaded: false,
    access: 'password',
    ...more,
  };
}
