import { describeChapter } from '../bench/truth/describe-chapter.ts';

describeChapter('Connections');
describeChapter('Names and places');
