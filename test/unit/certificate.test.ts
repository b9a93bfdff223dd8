import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { certify } from '../../src/engine/certificate.ts';
import type { CertificateFacts } from '../../src/engine/certificate.ts';
import { certificateRows } from '../../src/settings/certificate-words.ts';
import { createText } from '../../src/text.ts';
import { storedReport } from '../../src/web/stored-report.ts';

const BEST: CertificateFacts = {
  folders: { complete: 3, incomplete: 0 },
  filesFailed: 0,
  shares: { bytes: 1000, verifiedBytes: 255, rehashedBytes: 1000 },
  server: { timePrecision: 'second', hasStat: true, isEncrypted: true, showsHidden: 'yes' },
  hasIdentity: true,
  failureCodes: [],
};

describe('The grade of a server', () => {
  for (const [words, change, grade, reason] of [
    ['exact, with identities and encrypted, is A', {}, 'A', 'exact-times'],
    ['without identities is B', { hasIdentity: false }, 'B', 'no-identity'],
    [
      'that has to be asked for each file is C',
      { server: { ...BEST.server, timePrecision: 'minute' } },
      'C',
      'asked-singly',
    ],
    ['not encrypted is C', { server: { ...BEST.server, isEncrypted: false } }, 'C', 'not-encrypted'],
    [
      'with coarse times alone is D',
      { server: { ...BEST.server, timePrecision: 'minute', hasStat: false } },
      'D',
      'coarse-times',
    ],
    ['that hides names is D', { server: { ...BEST.server, showsHidden: 'no' } }, 'D', 'hidden-unseen'],
    ['that cuts its listings is E', { failureCodes: ['listing-truncated'] }, 'E', 'listings-cut'],
    ['without times is E', { server: { ...BEST.server, timePrecision: 'none' } }, 'E', 'no-times'],
  ] as const) {
    it(words, () => {
      const found = certify({ ...BEST, ...change });
      assert.deepEqual([found.grade, found.reasons], [grade, [reason]]);
    });
  }

  it('is that of its worst trait, and all of them are told, the worst first', () => {
    const server = { ...BEST.server, isEncrypted: false, showsHidden: 'no' } as const;
    const { grade, reasons } = certify({ ...BEST, server, hasIdentity: false });
    assert.equal(grade, 'D');
    assert.deepEqual(reasons, ['hidden-unseen', 'not-encrypted', 'no-identity']);
  });
});

describe('A certificate', () => {
  const text = createText('en');

  it('in words rounds shares down and never calls something nothing', () => {
    const values = (verifiedBytes: number): string =>
      certificateRows(certify({ ...BEST, shares: { ...BEST.shares, verifiedBytes } }), text)[1]?.value ?? '';
    assert.equal(values(0), '0%');
    assert.equal(values(1), 'below 1%');
    assert.equal(values(999), '99%');
    assert.equal(values(1000), '100%');
  });

  it('is read from a stored report, and is not there in one of an older version', () => {
    const certificate = certify(BEST);
    assert.deepEqual(storedReport({ report: JSON.stringify({ certificate }) })?.certificate, certificate);
    assert.equal(storedReport({ report: '{}' })?.certificate, undefined);
    assert.equal(storedReport({ report: JSON.stringify({ certificate: { grade: '<b>' } }) })?.certificate, undefined);
  });
});
