import { describeChapter } from '../bench/truth/describe-chapter.ts';

describeChapter('Deletions');
describeChapter('Disasters');
