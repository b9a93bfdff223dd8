import { describeRealServer } from '../support/real-server-fixture.ts';

describeRealServer('vsftpd', ['none', 'explicit', 'implicit']);
