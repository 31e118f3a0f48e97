using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace RealtimeAspire.Benchmarks.Run;

/// <summary>A self-signed certificate for 127.0.0.1, in files that are thrown away with it.</summary>
internal sealed class ThrowawayCertificate : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("realtimeaspire-benchmarks-");

    public ThrowawayCertificate(TimeProvider time)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=RealtimeAspire benchmarks", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(time.GetUtcNow().AddDays(-1), time.GetUtcNow().AddDays(7));
        File.WriteAllText(Path, certificate.ExportCertificatePem());
        File.WriteAllText(KeyPath, key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>In PEM.</summary>
    public string Path => System.IO.Path.Combine(_folder.FullName, "certificate.pem");

    /// <summary>In PEM.</summary>
    public string KeyPath => System.IO.Path.Combine(_folder.FullName, "key.pem");

    /// <summary>For a client that trusts this certificate and no other.</summary>
    public static SslClientAuthenticationOptions Trusting(string path) => new()
    {
        TargetHost = $"{IPAddress.Loopback}",
        CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            CustomTrustStore = { X509CertificateLoader.LoadCertificateFromFile(path) },
            RevocationMode = X509RevocationMode.NoCheck,
        },
    };

    public void Dispose() => _folder.Delete(recursive: true);
}
