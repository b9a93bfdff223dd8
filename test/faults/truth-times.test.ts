import { describeChapter } from '../bench/truth/describe-chapter.ts';

describeChapter('Times');
describeChapter('The target');
