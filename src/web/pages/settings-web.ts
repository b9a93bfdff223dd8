import type { RequestHandler } from 'express';
import { networkInterfaces } from 'node:os';
import { pageOf } from '../page-context.ts';
import { render } from '../render.ts';
import { SETTINGS_TABS } from './settings-tabs.ts';

interface WebView {
  readonly tabs: readonly string[];
  /** Where this page was opened. */
  readonly address: string;
  /** Other addresses of the NAS in its networks. */
  readonly addresses: readonly string[];
  readonly isEncrypted: boolean;
  readonly isBehindProxy: boolean;
  readonly basePath: string;
}

/** How the pages are reached. Ports and certificates are settled where the service is started. */
export const showWebSettings: RequestHandler = async (req, res) => {
  const { basePath, t } = pageOf(res);
  const host = req.get('Host') ?? '';
  const port = /:(\d+)$/.exec(host)?.[1];
  const suffix = port === undefined ? '' : `:${port}`;
  const isBehindProxy = req.ips.length > 0;
  const address = `${req.protocol}://${host}${basePath}`;
  const view: WebView = {
    tabs: SETTINGS_TABS,
    address,
    addresses: isBehindProxy
      ? []
      : networkAddresses()
          .map((ip) => `${req.protocol}://${ip}${suffix}${basePath}`)
          .filter((other) => other !== address),
    isEncrypted: req.secure,
    isBehindProxy,
    basePath,
  };
  await render(res, 'settings-web', view, { title: t('set.web'), menu: 'settings' });
};

const ADDRESSES_MAX = 8;

function networkAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((items) => items ?? [])
    .filter((item) => !item.internal && item.family === 'IPv4')
    .map((item) => item.address)
    .slice(0, ADDRESSES_MAX);
}
