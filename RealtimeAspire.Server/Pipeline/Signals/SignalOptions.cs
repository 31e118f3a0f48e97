using System.ComponentModel.DataAnnotations;

namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>The section <c>Realtime:Signals</c>.</summary>
internal sealed class SignalOptions
{
    /// <summary>Whether anything unusual is looked for. Default: true.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>For how many seconds the same about the same subject is counted instead of told again. Default: 300.</summary>
    [Range(1, 86_400)]
    public int CoolDownSeconds { get; set; } = 300;

    /// <summary>After how many hours clients look different from before. Default: 24.</summary>
    [Range(1, 168)]
    public int SaltHours { get; set; } = 24;

    /// <summary>How hard the proof of a challenge is: its hash begins with so many zero bits. Default: 18, some 260,000 hashes.</summary>
    [Range(1, 30)]
    public int ProofBits { get; set; } = 18;

    /// <summary>For how many seconds a challenge may be answered. Default: 120.</summary>
    [Range(5, 3_600)]
    public int ProofSeconds { get; set; } = 120;

    /// <summary>Many users from one fingerprint: <c>Threshold</c> users. Default: 100 in 600 s.</summary>
    public SignalPolicyOptions ManyIdentities { get; set; } = new() { Threshold = 100, WindowSeconds = 600 };

    /// <summary>Failed sign-ins: <c>Threshold</c> names from one fingerprint, five times as many from one range; as many ranges for one name. Default: 20 in 600 s.</summary>
    public SignalPolicyOptions CredentialStuffing { get; set; } = new() { Threshold = 20, WindowSeconds = 600 };

    /// <summary>Refused topics: <c>Threshold</c> of a type by one user; ten times as many that are allowed and have no events. Default: 50 in 300 s.</summary>
    public SignalPolicyOptions SubscribeScan { get; set; } = new() { Threshold = 50, WindowSeconds = 300 };

    /// <summary>Connects: <c>Threshold</c> of one user, five times as many of one fingerprint. Default: 150 in 60 s.</summary>
    public SignalPolicyOptions ReconnectStorm { get; set; } = new() { Threshold = 150, WindowSeconds = 60 };

    /// <summary>Deliveries: <c>Threshold</c> in a window, and ten times the average of the windows before. Default: 100,000 in 10 s.</summary>
    public SignalPolicyOptions FanOut { get; set; } = new() { Threshold = 100_000, WindowSeconds = 10 };

    public TimeSpan CoolDown => TimeSpan.FromSeconds(CoolDownSeconds);

    /// <summary>Whether anything is ever done beside telling.</summary>
    public bool Act => All.Any(policy => policy.Options.Action is not SignalEffect.Observe);

    private IEnumerable<(string Name, SignalPolicyOptions Options)> All =>
    [
        (nameof(ManyIdentities), ManyIdentities), (nameof(CredentialStuffing), CredentialStuffing), (nameof(SubscribeScan), SubscribeScan),
        (nameof(ReconnectStorm), ReconnectStorm), (nameof(FanOut), FanOut),
    ];

    public SignalPolicyOptions Of(SignalKind kind) => kind switch
    {
        SignalKind.ManyIdentities => ManyIdentities,
        SignalKind.CredentialStuffing => CredentialStuffing,
        SignalKind.SubscribeScan => SubscribeScan,
        SignalKind.ReconnectStorm => ReconnectStorm,
        _ => FanOut,
    };

    /// <summary>What is wrong with it, each with its key.</summary>
    public IEnumerable<string> Check(string key)
    {
        foreach (var (name, policy) in All)
        {
            var results = new List<ValidationResult>();
            Validator.TryValidateObject(policy, new ValidationContext(policy), results, validateAllProperties: true);
            foreach (var result in results)
            {
                yield return $"{key}:{name}:{string.Join(',', result.MemberNames)}: {result.ErrorMessage}";
            }

            if (name != nameof(FanOut) && policy.Threshold > DistinctCount.MaxThreshold)
            {
                yield return $"{key}:{name}:Threshold: must be at most {DistinctCount.MaxThreshold}.";
            }
        }
    }
}

/// <summary>What counts as unusual, and what is done about it: the section <c>Realtime:Signals:{kind}</c>.</summary>
internal sealed class SignalPolicyOptions
{
    /// <summary>How many are unusual within the window. Default: by kind.</summary>
    [Range(2, 1_000_000_000)]
    public int Threshold { get; set; } = 100;

    /// <summary>The window, in seconds. Default: by kind.</summary>
    [Range(1, 86_400)]
    public int WindowSeconds { get; set; } = 60;

    /// <summary>What is done: observe, slow, challenge or block. Default: observe.</summary>
    [EnumDataType(typeof(SignalEffect))]
    public SignalEffect Action { get; set; } = SignalEffect.Observe;

    /// <summary>From which score on it is done; 50 is the threshold, 75 twice, 100 four times as much. Default: 75.</summary>
    [Range(50, 100)]
    public int Score { get; set; } = 75;

    /// <summary>For how many seconds it is done. Default: 600.</summary>
    [Range(1, 604_800)]
    public int Seconds { get; set; } = 600;

    public TimeSpan Window => TimeSpan.FromSeconds(WindowSeconds);
}
