/**
 * Month names as servers abbreviate them, in the order of the year: English, French, German, Spanish, Italian, Dutch,
 * Portuguese, Polish, Czech, Swedish, Danish, Norwegian, Romanian, Hungarian, Turkish, Finnish. A name that two
 * languages give to different months is left out.
 */
const NAMES: readonly string[] = [
  'jan january janv janvier januar jän jänner ene enero gen gennaio januari janeiro sty led leden ian ianuarie ocak tammi',
  'feb february févr fév février februar febr febrero febbraio februari fev fevereiro lut úno únor februarie şub helmi',
  'mar march mars mär märz mrz marzo mrt maart março bře břez márc maalis',
  'apr april avr avril abr abril aprile kwi dub duben aprilie ápr nis huhti',
  'may mai mayo mag maggio mei maio maj kvě květen máj mayıs touko',
  'jun june juin juni junio giu giugno junho cze čvn červen iun iunie haz kesä',
  'jul july juil juillet juli julio lug luglio julho lip čvc červenec iul iulie tem heinä',
  'aug august aoû août ago agosto augustus sie srpen augusti ağu elo',
  'sep sept september septembre septiembre set settembre setembro wrz zář září szept eyl syys',
  'oct october octobre okt oktober octubre ott ottobre out outubro paź říj říjen oktober ekim eki loka',
  'nov november novembre noviembre novembro lis listopad noiembrie kas marras',
  'dec december déc décembre dez dezember dic diciembre dicembre dezembro gru pro prosinec dec desember des ara joulu',
];

const MONTHS = new Map<string, number>();
NAMES.forEach((names, index) => {
  for (const name of names.split(' ')) MONTHS.set(skeleton(name), index + 1);
});

/** The month (1 to 12) that `text`, a word of a listing as latin1 text of any encoding, names; undefined: unknown. */
export function monthOf(text: string): number | undefined {
  const numbered = /^(\d{1,2})[^\x00-\x7f]+$/.exec(text);
  if (numbered !== null) {
    const month = Number(numbered[1]);
    return month >= 1 && month <= 12 ? month : undefined;
  }
  return MONTHS.get(skeleton(text));
}

/** The ASCII letters only: what stays the same of `févr.` whether it was sent in UTF-8 or in an 8-bit encoding. */
function skeleton(text: string): string {
  return text.toLowerCase().replace(/[^a-z]/g, '');
}
