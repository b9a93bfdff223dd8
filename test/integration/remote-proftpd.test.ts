import { describeRealServer } from '../support/real-server-fixture.ts';

describeRealServer('proftpd', ['none', 'explicit', 'implicit']);
