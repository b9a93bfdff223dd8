import { describeChapter } from '../bench/truth/describe-chapter.ts';

describeChapter('Transfers');
