"""Common English words, of which prompts are made: nearly each is one token of the usual vocabularies."""

_TEXT = """
about above across act add after again age ago agree air all allow almost alone along already also always among amount
and animal another answer any anything appear apple area arm around arrive art article ask attack attention available
away baby back bad bag ball bank bar base basic bear beat beautiful became because become bed been before began begin
behavior behind believe below benefit best better between beyond big bill bird bit black blood blow blue board boat
body bone book born both bottom box boy brain branch bread break bright bring broken brother brought brown budget
build building built burn bus business busy but buy call came camera camp can capital car card care carry case cat
catch cause cell center central century certain chair challenge chance change character charge chart cheap check child
choice choose church circle citizen city claim class clean clear climate climb clock close cloud coast coat code
coffee cold collect college color come common company compare complete computer concern condition consider contain
continue control cook cool copy corner cost could count country couple course court cover create crime cross crowd
culture cup current customer cut dance danger dark data daughter day dead deal dear death debate decade decide deep
degree demand design desk detail did die difference different difficult dinner direct direction discover discuss
distance doctor dog done door double down draw dream dress drink drive drop dry during dust each early earth ease east
easy eat economy edge education effect effort eight either electric else employ empty end enemy energy engine enjoy
enough enter equal even evening event ever every evidence exact example except excite exercise expect experience
explain eye face fact fair fall family famous far farm fast father fear feel feet few field fight figure fill film
final find fine finger finish fire firm first fish fit five flat floor flow flower fly follow food foot for force
foreign forest forget form forward found four free fresh friend from front fruit full fun future gain game garden gas
gave general get girl give glass global goal gold gone good got government great green grew ground group grow guess
guide had hair half hand happen happy hard has hat have head health hear heart heat heavy held help her here high hill
him his history hold home hope horse hospital hot hotel hour house how huge human hundred husband ice idea image
imagine impact important inch include increase industry inside instead interest into iron island issue item job join
jump just keep kept key kid kind king kitchen knew know known land language large last late laugh law lay lead learn
least leave left leg legal less let letter level lie life lift light like line list listen little live local long look
lost lot love low machine made magazine main major make man many map mark market master material matter may maybe mean
measure meat media meet member memory men method middle might mile milk mind minute miss model modern moment money
month moon more morning most mother motion mountain mouth move much music must name nation natural nature near need
never new news next nice night nine none nor north nose note nothing notice now number object ocean off offer office
often oil old once one only open operate option order other our out over own page paint pair paper parent park part
party pass past path pattern pay peace people perhaps person phone photo phrase picture piece place plain plan plane
plant play please point poor popular position possible pound power present press pretty price print problem process
produce product program protect prove provide public pull push put quality question quick quiet quite race radio rain
raise ran range rather reach read ready real reason record red remain remember repeat reply report rest result return
rich ride right ring rise river road rock role roll room root rope rose round row rule run safe said sail salt same
sand sat save saw say scale school science score sea season seat second section see seed seem self sell send sense
sent serve set seven several shape share sharp she ship shoe shop short should show side sign silent silver simple
since sing single sister sit six size skill skin sky sleep slip slow small smell smile snow social soft soil sold
solution solve some son song soon sound source south space speak special speech speed spell spend spoke spot spread
spring square stage stand star start state station stay steam steel step still stone stood stop store story straight
strange stream street strong student study subject success such sudden sugar suit summer sun support sure surface
surprise swim system table tail take talk tall teach team tell ten term test than thank that the their them then there
these they thick thin thing think third this those though thought thousand three through throw time tiny tire together
told tone too took tool top total touch toward town track trade train travel tree triangle trip trouble truck true try
turn twenty two type under unit until upon use usual valley value various very view village visit voice vote wait walk
wall want war warm was wash watch water wave way wear weather week weight well went were west what wheel when where
which while white who whole whose why wide wife wild will win wind window winter wire wish with woman wonder wood word
work world worth would write wrong yard year yellow yes yet you young your
"""
WORDS = tuple(_TEXT.split())
