import type { Language } from '../../src/text.ts';

/** What the demo says between the runs; the runs speak for themselves. */
export interface DemoTexts {
  readonly firstTitle: string;
  readonly site: (files: string, bytes: string, address: string) => string;
  readonly secondTitle: string;
  readonly sameSize: string;
  readonly kept: (gone: number) => string;
  readonly dryTitle: string;
  readonly dry: string;
  readonly lieTitle: string;
  readonly lie: (folder: string, shown: number, all: number) => string;
  readonly nothingLost: (files: string) => string;
  readonly endTitle: string;
  readonly where: (current: string, task: string) => string;
  readonly running: (task: string, state: string) => string;
  readonly stopped: string;
  readonly pageTitle: string;
  readonly page: (address: string, account: string, password: string) => string;
  readonly pageRuns: string;
  readonly wrong: string;
}

export const DEMO_TEXTS: Readonly<Record<Language, DemoTexts>> = {
  en: {
    firstTitle: '1. A first backup',
    site: (files, bytes, address) =>
      `An FTP server of our own has started at ${address}, a little slow as real ones are.\n` +
      `It holds a small company's site: ${files} files, ${bytes}.\n`,
    secondTitle: '2. A day of work on the site, and the next backup',
    sameSize: 'as many bytes as before: only the time tells',
    kept: (gone) =>
      `Only what was new or changed came. The ${gone} files that are no longer on the server are still here.`,
    dryTitle: '3. What would a run do now? (--dry-run)',
    dry: 'One more file is on the server. A dry run looks, tells, and touches nothing.\n',
    lieTitle: '4. The server lies',
    lie: (folder, shown, all) =>
      `From now on it shows ${shown} of the ${all} files in ${folder}, and calls that a success.\n`,
    nothingLost: (files) =>
      `The run is called incomplete, the folder is named, and all ${files} files are still here.\n` +
      'The server is honest again, and so is the next run:\n',
    endTitle: 'Your copy',
    where: (current, task) => `Plain files:  ${current}\nThe task:     ${task}`,
    running: (task, state) =>
      `The server is still running. In another terminal:\n\n` +
      `  npx site-backup check ${task}\n  npx site-backup list ${task} /wp-content\n` +
      `  npx site-backup run ${task} --state ${state}`,
    stopped:
      'The server has stopped. With "npm run demo -- --keep" it goes on, and you can try the commands yourself.\n' +
      'For your own site: write its address and a folder of yours into a copy of the task, then "npx site-backup check".',
    pageTitle: '5. The admin page',
    page: (address, account, password) =>
      `Open ${address} in a browser of this machine.\nUser name: ${account}   Password: ${password}\n` +
      'Two tasks are there: one has its backup, the other is in the middle of its first run.',
    pageRuns: 'The first site keeps changing, and is backed up every 5 minutes. Ctrl-C ends it.',
    wrong: 'This should not have happened:',
  },
  fr: {
    firstTitle: '1. Une première sauvegarde',
    site: (files, bytes, address) =>
      `Notre propre serveur FTP a démarré à l’adresse ${address}, un peu lent comme les vrais.\n` +
      `Il contient le site d’une petite entreprise : ${files} fichiers, ${bytes}.\n`,
    secondTitle: '2. Une journée de travail sur le site, puis la sauvegarde suivante',
    sameSize: 'autant d’octets qu’avant : seule la date le révèle',
    kept: (gone) =>
      `Seuls les nouveautés et les changements ont été copiés. Les ${gone} fichiers qui ne sont plus sur le serveur sont toujours ici.`,
    dryTitle: '3. Que ferait une sauvegarde maintenant ? (--dry-run)',
    dry: 'Il y a un fichier de plus sur le serveur. L’essai à blanc regarde, raconte et ne touche à rien.\n',
    lieTitle: '4. Le serveur ment',
    lie: (folder, shown, all) =>
      `Désormais il montre ${shown} des ${all} fichiers de ${folder}, et annonce un succès.\n`,
    nothingLost: (files) =>
      `La sauvegarde est dite incomplète, le dossier est nommé, et les ${files} fichiers sont tous là.\n` +
      'Le serveur redevient honnête, et la sauvegarde suivante aussi :\n',
    endTitle: 'Votre copie',
    where: (current, task) => `Fichiers :  ${current}\nTâche :     ${task}`,
    running: (task, state) =>
      `Le serveur tourne encore. Dans un autre terminal :\n\n` +
      `  npx site-backup check ${task}\n  npx site-backup list ${task} /wp-content\n` +
      `  npx site-backup run ${task} --state ${state}`,
    stopped:
      'Le serveur s’est arrêté. Avec « npm run demo -- --keep » il continue, et vous pouvez essayer les commandes vous-même.\n' +
      'Pour votre site : mettez son adresse et un dossier à vous dans une copie de la tâche, puis « npx site-backup check ».',
    pageTitle: '5. La page d’administration',
    page: (address, account, password) =>
      `Ouvrez ${address} dans un navigateur de cette machine.\nUtilisateur : ${account}   Mot de passe : ${password}\n` +
      'Deux tâches s’y trouvent : l’une a sa sauvegarde, l’autre est au milieu de sa première exécution.',
    pageRuns: 'Le premier site change sans cesse et est sauvegardé toutes les 5 minutes. Ctrl-C arrête tout.',
    wrong: 'Ceci n’aurait pas dû arriver :',
  },
};
