import { describeRealServer } from '../support/real-server-fixture.ts';

describeRealServer('pure-ftpd', ['none', 'explicit']);
