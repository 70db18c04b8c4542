"""The lexicon: the letters and small words by which languages are told apart."""

# Languages in Latin letters: codes | letters beside a to z | words that hold sentences together. A word of two lists
# tells nothing between them, so English also lists its words, and those of its slang and names, that others list.
# Languages of one row are not told apart.
_LATIN_TABLE = """
en | | the and of to a in is for on that with was as at by are or from it be have an his not has you he will this
  their who but were one had which about they her can been said up all than time also we out after people other its
  when like would over into she do so if no only some there what just my them our any most him then before me day may
  could where now use how did between because many well such very your more i am us man must does should these those
  being both each through during against too here off down until why under same own let get got go see say make made
  new old bat bet by care con co come dat dem den die door duke ed eg ere hat hay mais mar mas men met mi mint mis mo
  mot nav need non nu par pas per plus polo pole pot pour pre pro sans sin sine solo son sur tan till vain van ve vid
  war wat word
de | äöüß | und der die das ist in nicht zu wird werden den für auf ein eine einen einem einer mit des oder als sich
  es dem im sie aus wenn wie auch aber diese diesem dieser dieses durch zum zur keine kein können kann sind bei beim
  über haben nach mehr dass daß noch wir muss sehr nur wurde vom sowie ihre ihr sein sei von bis gibt habe ihnen ihrer
  alle anderen jedoch soll sollte zwischen an am war man um so also hat was er ich unter eines bitte jeder wieder
  würde wäre seit siehe selbst ohne dann
sv | åäöé | i för som är och en att av till med inte om på ett den kan har det eller vid vara från du ska men sig de
  när mycket alla måste detta blir vi även sina dem efter mot genom finns annat endast dessa var man under over så
  varje istället mellan skulle utan enligt jag din sin ditt dina be nu
is | áðéíóúýþæö | að ekki er til og á í en vera hefur má þú eða sem um með það því verður getur sé fyrir eru við var
  hann frá inn sama þetta
fi | äöå | on ja tai ei ole ovat että olla vain voi kuin jos voidaan joka se sen myös kaikki mutta sitten kun kuten
  hän oli niin mukaan tämä tämän ennen jotka kanssa voit jossa siitä ne sekä sitä he me tässä ilman jonka jälkeen
  tulee
et | äöõüšž | on ja ei või saab kui et mis see selle ka ning siis kas ainult oma seda aga oli kõik võib kuid nii need
  selles korral kus olla sisaldab mida koos
fr | éèêàâçëîïôùûüœæ | de la le les est des et à un pour du en dans que ou sont une ne sur avec qui si au aux peut
  vous cette comme ce il elle se sa ses leur leurs être été qu nous votre vos lors ont aussi entre donc où je mais
  fait tout tous par toutes cet ces sans sous pas plus même chaque soit deux ainsi afin doit lorsque on son a me avant
  puis depuis déjà non même ni
es | áéíóúñü | de la el que en y se un es los una para del por las lo al más puede si su está tiene ha ser este esta
  pero a no sin hay todos también cuando cada entre sobre muy sus desde fue esto debe ya donde como le nos pueden todo
  con son o me según ni porque otro otros hasta mi menos siempre antes da otra solo sino nada
pt | ãõáéíóúâêôàçü | de que e o a para do um é não uma em os na ou da se no por ser pode são como mais ao nos dos das
  você está pelo pela sua seu quando tem foi isso também entre sem à já às aos mas seus suas muito deve este esta
  estes ele ela com as apenas onde depois há antes numa
ca | àèéíòóúüïç | de que un els les amb del és el en i aquest aquesta però més heu ha si al una ser seva també pot
  dels la a no per us com o està són perquè has fet cap als
it | àèéìòùî | di e il che la un è in una si della o essere se al dei gli del le lo ha ma questo questa più alla nel a
  nella non anche dal può cui delle tutti sempre ogni degli stato suo loro ti sono come da con nei dalla quando quello
  ed uno viene per i hanno ci nell tutto tra almeno ancora altri sulla deve ne sei ho mie no
ro | ăâîșțşţ | de și este la cu nu un sau pentru mai se dacă să din sunt ca fi că pe poate după prin fost toate acest
  această când ale ei lui în o a are care fiecare numai
pl | ąćęłńóśźż | i w z nie na do jest się że jak lub dla ze za po od tak przez być ale może tylko czy tego które można
  jako oraz jego są ma ich tym już jeśli co by który która także przy aby mi gdy może nad bez to o mnie bardzo
sl | čšž | v z na za je ki ali lahko se da kot s so bo če ne ni ga iz pa do bodo pri od po tudi kako ko še biti bil
  tako vse med in ter ima tem vsebuje ste to
hr bs | čćđšž | i u da je na za bi ima se od ili biti nije li ne više koji koja koje su ovaj kao iz sa s samo će može
  ako ali sve kako po bio ste ova to a o
hu | áéíóöőúüű | a az és egy vagy nem meg hogy akkor ki ha csak lehet minden mint amely következő kell majd sem még
  volt azt is ezt ez egyes több el szám ezek esetén például be helyett nincs nélkül más nagyon
vi | àáâãèéêìíòóôõùúýăđĩũơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ | các của được một là không và vào cho trong
  khi hay hoặc với những tôi cũng người này như
lt | ąčęėįšųūž | kad ir yra iš nei būti kaip arba į su buvo tik nes nėra prieš jų per bet taip jau
lv | āčēģīķļņšūž | un ka nav ir vai ar lai būt var no kā tas pirms uz šo tikai arī bet tiek kas ne par tā
sq | ëç | të që një për me ose në më dhe se ka është nga por këtë si kjo nuk duke janë i e
eu | ñ | eta du bat da edo ez dira den izan bada duen baten hau egin beste dute ditu gisa behar ere baino ezin nahi
sw | | ya na kwa wa ni katika au kuwa hii kama za la yako lakini hapa wakati kutoka
tl | ñ | ang ng sa mga na ay at hindi ito para kung ni siya ko mo
cy | âêîôûŵŷ | y i a o yn ar yr wedi gan eich mae bod er fel neu nad sydd ond ei gyda
ga | áéíóú | a i an na agus ar do le bhfuil is é nó ag tá mar leis níos sé seo féidir
nl af | ëïéèöüóêô | de het een van in is op te en voor of met worden niet zijn wordt dat aan naar deze kunt door ook
  bij uit er geen uw moet meer heeft als om die dit wat maar dan nog zich hun werd wel ik je zal onze waar wij kan
  alle zoals welke tussen wanneer over was we had alleen tot elke volgens wilt twee beide bevat nie vir hierdie ons jy
  deur hulle daar sal sy as ek
cs sk | áčďéěíňóřšťúůýžäĺľôŕ | a v z se je na že nebo pro jsou jako k si by aby do být ale než má ve co není za tak
  při jen který které jeho jejich byl bylo již více podle jak když ze ho po od bude před to pokud o kde této sa alebo
  pre ako nie byť sú ktoré ktorý pri bol aj s ste sme vám ich túto keď zo
da no nb nn | æøåéòóô | i og til at er et på du som eller med den det der ikke skal fra de så vil har være hvis om kun
  bliver når denne dette efter blev også en var vi jeg hvor ved kan flere hver alle andre sig men hvad dem disse
  mellem for af have man under over uden samme altid bør meget din sin egen dit nu av blir etter ble ein eit eg ikkje
  dei frå meir hva mellom ut inn uten enn eigen ditt di mitt sine nye
id ms | | yang dan untuk atau dari dengan ini pada dalam di ke tidak dapat sebuah akan adalah jika oleh juga sebagai
  satu seperti hanya lebih anda saat bisa ada telah itu tersebut kami mereka karena setiap saya ketika semua secara
  sama melalui antara tanpa menjadi boleh ialah daripada kepada tetapi kerana
tr az | çğıöşüâîûə | bir ve için ile veya olarak bu da tüm gibi de olan tarafından daha sonra iki çok ne olur var yok
  ancak göre her değil kadar ise sadece mi olduğu en ya içinde tek on o aynı ilgili emin üçün və də ki istifadə ilə
  çox görə deyil kimi
"""

# By ISO 639-1 code: letters beside a to z, and words.
LATIN = {
    code: (frozenset(letters.strip()), frozenset(words.split()))
    for codes, letters, words in (row.split("|") for row in _LATIN_TABLE.replace("\n  ", " ").strip().splitlines())
    for code in codes.split()
}

# Words that names, and letters that loans, bring into texts of any language.
_NAME_WORDS = """
al au av ca da das de del della delle der des di do dos du e el em en es est et fi ha im la las le les lo los ma mga na ng ni o
sa san se si su ti u um un una v von w y ya z à
"""
NAME_WORDS = frozenset(_NAME_WORDS.split())
LOAN_LETTERS = frozenset("áâãäåæçèéêëíîïñóôöøúûüßœāēīōūśṣṇṭḍḥṛṃǎěǐǒǔ")

# What Latin words are written in.
LATIN_LETTERS = "A-Za-zÀ-ÖØ-öø-\u024f\u1e00-\u1eff"
_INDIC = ("hi mr ne", "as bn", "pa", "gu", "or", "ta", "te", "kn", "ml", "si", "th", "lo")
# Languages of each other script, and where its letters lie. Those that share one are not told apart.
SCRIPTS = {
    "el": "\u0370-\u03ff\u1f00-\u1fff",
    "be bg kk ky mk mn ru tg uk": "\u0400-\u052f",
    "hy": "\u0530-\u058f",
    "he yi": "\u0590-\u05ff",
    "ar fa ps sd ug ur": "\u0600-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
    **{codes: f"{chr(0x900 + 0x80 * block)}-{chr(0x97F + 0x80 * block)}" for block, codes in enumerate(_INDIC)},
    "bo dz": "\u0f00-\u0fff",
    "my": "\u1000-\u109f",
    "ka": "\u10a0-\u10ff",
    "am ti": "\u1200-\u139f",
    "km": "\u1780-\u17ff",
}
# The same of scripts in which a letter or two is a word.
DENSE_SCRIPTS = {
    "ja": "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d",
    "ja zh": "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f",
    "ko": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
}

LANGUAGES = frozenset(LATIN) | {code for codes in (*SCRIPTS, *DENSE_SCRIPTS) for code in codes.split()}
